"""HTML pages, read without a browser."""

from html.parser import HTMLParser

#: Markup that would show itself if any of it got through, by an element, an attribute or a script.
ATTACKS = [
    "<script>document.documentElement.dataset.hacked = 1</script>",
    "</script><script>document.documentElement.dataset.hacked = 2</script>",
    "<img src=x onerror=document.documentElement.dataset.hacked=3>",
    '"><svg onload="document.documentElement.dataset.hacked=4"><x-evil>',
    "' onmouseover='document.documentElement.dataset.hacked=5' x-evil='",
    "</title></style></svg></text></textarea><x-evil>",
    "]]><x-evil/><!--",
    "--><x-evil>&lt;x-evil&gt;",
    "{{ 7 * 7 }}{% raw %}<x-evil>",
    "javascript:document.documentElement.dataset.hacked=6",
    '&quot;&#34; style="background:url(https://example.org)" x-evil',
]


class Page(HTMLParser):
    """Elements of a page, as (name, attributes), and its texts by the element that they stand in."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else None, data))

    def names(self):
        return {name for name, _ in self.elements}

    def attributes(self):
        return {name for _, attributes in self.elements for name in attributes}

    def text_of(self, tag):
        """What stands in all elements of that name, put together for each of them."""
        return "".join(text for name, text in self.texts if name == tag)


def check_nothing_got_in(page):
    """Fail if a page holds an element, an attribute or a script of `ATTACKS`."""
    assert not page.names() & {"x-evil", "img", "textarea", "iframe"}
    assert [name for name, _ in page.elements].count("script") == 1
    found = page.attributes()
    assert not {name for name in found if name.startswith(("on", "x-", "data-hacked"))}
    assert not any(
        "example.org" in (value or "") for _, a in page.elements for value in [a.get("style")]
    )
