"""What a page in the browser asks for and complains about, as a list of problems."""

from urllib.parse import urlsplit


class Watched:
    """A new page; all that goes wrong on it is noted, from before it is loaded.

    Attributes:
        page: Playwright's page.
        problems: what went wrong so far, one sentence each.
    """

    def __init__(self, context, url: str):
        self.url, self.problems = url, []
        self.page = context.new_page()
        self.page.on("request", self._note_request)
        self.page.on("websocket", self._note_request)
        self.page.on("response", self._note_response)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))

    def _note_request(self, request):
        address, own = urlsplit(request.url), urlsplit(self.url)
        if address.scheme not in ("data", "blob") and address.netloc != own.netloc:
            self.problems.append(f"request to another host: {request.url}")

    def _note_response(self, response):
        if response.status >= 400:
            self.problems.append(f"missing file: {response.url} ({response.status})")

    def _note_message(self, message):
        if message.type in ("error", "warning"):
            where = message.location["url"]
            self.problems.append(f"console {message.type}: {message.text} ({where})")
