"""A model's answer, turned into Markdown that Streamlit shows as it was meant.

Models write mathematics as `\\( … \\)` and `\\[ … \\]`; Streamlit wants dollars. Streamlit takes
any pair of dollars for mathematics, prices included. A line that ends ends for the reader too,
where Markdown would run lines together. A picture address in an answer would
make the browser call whoever the model names. And `sandbox:` links to a file that code made lead
nowhere in a browser: the file stands below the message, the link becomes its name.
"""

import re

CODE = re.compile(
    r"(?P<fence>^[ \t]*(?P<mark>`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*(?P=mark)[`~]*[ \t]*$|\Z))"
    r"|(?P<inline>(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`))",
    re.DOTALL | re.MULTILINE,
)
DISPLAY_MATH = re.compile(r"\\\[(.+?)\\\]", re.DOTALL)
INLINE_MATH = re.compile(r"\\\((.+?)\\\)", re.DOTALL)
DOLLARS = re.compile(
    r"(?P<escaped>\\\$)"
    r"|(?P<display>\$\$.+?\$\$)"
    r"|(?P<inline>\$(?=\S)(?:[^$\n\\]|\\.)*?(?<=\S)\$(?!\d))"
    r"|(?P<lone>\$)",
    re.DOTALL,
)
OPEN_FORMULA = re.compile(r"\\(?:\((?!.*\\\))|\[(?!.*\\\])).*\Z", re.DOTALL)
LINE_BREAK = re.compile(r"(?P<formula>\$\$.+?\$\$)|(?:(?<=\S)|\A)\n(?=[ \t]*(?:\S|\Z))", re.DOTALL)
PICTURE = re.compile(r"!\[")
SANDBOX_FILE = re.compile(
    r"!?\[(?P<label>[^\]\n]*)\]\(<?sandbox:/mnt/data/[^)\n]*\)|sandbox:/mnt/data/(?P<name>[^\s)\]]+)"
)


def to_markdown(text: str) -> str:
    """Mathematics in dollars, prices and lines as they are, pictures as links; code untouched."""
    parts: list[str] = []
    end = 0
    for code in CODE.finditer(text):
        parts += [_prose(text[end : code.start()]), code.group()]
        end = code.end()
    return "".join([*parts, _prose(text[end:])])


def without_open_formula(text: str) -> str:
    """The text of an unfinished answer up to a formula that has not been closed yet."""
    end = max((code.end() for code in CODE.finditer(text)), default=0)
    return text[:end] + OPEN_FORMULA.sub("", text[end:])


def _prose(text: str) -> str:
    text = SANDBOX_FILE.sub(lambda found: f"**{found['label'] or found['name'] or 'file'}**", text)
    text = LINE_BREAK.sub(lambda found: found["formula"] or "  \n", text)
    text = DOLLARS.sub(_keep_or_escape, text)
    text = DISPLAY_MATH.sub(_display, text)
    text = INLINE_MATH.sub(lambda found: f"${found[1].strip()}$", text)
    return PICTURE.sub("[", text)


def _keep_or_escape(found: re.Match[str]) -> str:
    return r"\$" if found["lone"] else found.group()


def _display(found: re.Match[str]) -> str:
    """Dollars on the line of the formula, so that a formula in a list stays in the list."""
    formula = " ".join(found[1].split())
    return f"$$\n{formula}\n$$" if _stands_alone(found) else f"$\\displaystyle {formula}$"


def _stands_alone(found: re.Match[str]) -> bool:
    before = found.string[: found.start()].rpartition("\n")[2]
    after = found.string[found.end() :].partition("\n")[0]
    return before == "" and after.strip() == ""
