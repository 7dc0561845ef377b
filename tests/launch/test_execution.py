"""The build executes a notebook again when the package has changed, and only then."""


def test_a_change_in_the_package_executes_the_notebooks_again(small_book):
    small_book.say("first")
    small_book.build()
    assert "rfteach says first" in small_book.page("01_flows").text

    log = small_book.build()
    assert "0 added, 0 changed, 0 removed" in log

    small_book.say("second")
    small_book.build()
    assert "rfteach says second" in small_book.page("01_flows").text
    caches = small_book.root / "_build" / ".jupyter_cache"
    assert len(list(caches.iterdir())) == 1  # the outdated one is gone
