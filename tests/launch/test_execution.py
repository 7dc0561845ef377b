"""The build executes notebooks side by side, each when it must and not more often."""

import re


def executed(log: str) -> list[str]:
    """List the notebooks that a build executed, in the order in which they were done."""
    return re.findall(r"^ *[\d.]+ s  book/(\w+)\.ipynb \(", log, flags=re.MULTILINE)


def test_a_change_in_the_package_executes_the_notebooks_again(small_book):
    small_book.say("first")
    small_book.build()
    assert "rfteach says first" in small_book.page("01_flows").text

    log = small_book.build()
    assert executed(log) == []
    assert "0 added, 0 changed, 0 removed" in log

    small_book.say("second")
    small_book.build()
    assert "rfteach says second" in small_book.page("01_flows").text
    caches = small_book.root / "_build" / ".jupyter_cache"
    assert len(list(caches.iterdir())) == 1  # the outdated one is gone


def test_a_failing_notebook_is_named_and_hides_no_other(new_book):
    new_book.write("02_wrong", "1 / 0")
    new_book.write("03_slow", "import time\n\ntime.sleep(2)")
    log = new_book.build(succeeds=False)
    assert "ZeroDivisionError" in log and "FAILED  book/02_wrong.ipynb" in log
    assert "1 failed: book/02_wrong.ipynb" in log
    assert sorted(executed(log)) == ["01_flows", "03_slow"]

    new_book.write("02_wrong", "1 / 2")
    log = new_book.build()
    assert executed(log) == ["02_wrong"]
    slowest = log.split("The slowest notebooks:")[1]
    took = re.findall(r"(\d+\.\d) s  book/(\w+)", slowest)
    assert {name for _, name in took} == {"01_flows", "02_wrong", "03_slow"}
    seconds = [float(number) for number, _ in took]
    assert seconds == sorted(seconds, reverse=True)


def test_a_kernel_that_dies_gets_a_second_chance_and_no_third(new_book):
    died = new_book.root / "died"
    new_book.write(
        "02_dies_once",
        f"""import os, pathlib

mark = pathlib.Path({str(died)!r})
if not mark.exists():
    mark.touch()
    os._exit(1)
""",
    )
    assert executed(new_book.build())[-1] == "02_dies_once"
    new_book.write("02_dies_once", "import os\n\nos._exit(1)")
    log = new_book.build(succeeds=False)
    assert "1 failed: book/02_dies_once.ipynb" in log and log.count("AGAIN") == 1


def test_an_interrupted_build_keeps_what_is_done(new_book):
    new_book.write("02_long", "import time\n\ntime.sleep(600)")
    run = new_book.start()
    for line in run.stdout:  # until the short one is done
        if executed(line):
            break
    run.terminate()  # a Ctrl-C would be ignored where the tests run in the background
    log, _ = run.communicate(timeout=60)
    assert run.returncode == 130 and "What was executed is kept" in log

    new_book.write("02_long", "")
    assert executed(new_book.build()) == ["02_long"]
