import pytest

from lib.dashboard.message_markdown import to_markdown, without_open_formula


@pytest.mark.parametrize(
    ("written", "shown", "why"),
    [
        (r"So \( x = 1 \).", "So $x = 1$.", "inline mathematics"),
        (
            "Then\n\\[ x = \\frac{3}{3} \\]\n",
            "Then  \n$$\nx = \\frac{3}{3}\n$$  \n",
            "on its own line",
        ),
        ("\\[\nx\n= 1\n\\]", "$$\nx = 1\n$$", "over several lines"),
        ("1. Sum:\n   \\[ a + b \\]", "1. Sum:  \n   $\\displaystyle a + b$", "inside a list"),
        (r"Write `\( x \)` so.", r"Write `\( x \)` so.", "inline code stays"),
        ("```\n\\( x \\) $5\n```", "```\n\\( x \\) $5\n```", "a code block stays"),
        ("```py\nx = '$5'", "```py\nx = '$5'", "a code block that is still being written"),
        ("It costs $5 or $6.", r"It costs \$5 or \$6.", "prices are no mathematics"),
        ("The sum $a+b$ is", "The sum $a+b$ is", "dollars around mathematics stay"),
        ("$$\na+b\n$$", "$$\na+b\n$$", "double dollars stay"),
        (r"Only \$5", r"Only \$5", "what is escaped stays so"),
        (
            "![x](http://evil.example/?q=1)",
            "[x](http://evil.example/?q=1)",
            "no picture is fetched",
        ),
        ("[a.csv](sandbox:/mnt/data/a.csv)", "**a.csv**", "files stand below the message"),
        ("![](sandbox:/mnt/data/a b.png)", "**file**", "pictures that code made as well"),
        ("in sandbox:/mnt/data/a.csv now", "in **a.csv** now", "also without a link"),
        ("3 = 3x\n1 = x\n\nDone", "3 = 3x  \n1 = x\n\nDone", "lines stay apart"),
        ("so `a`\n`b`", "so `a`  \n`b`", "also between pieces of code"),
        ("plain words", "plain words", "nothing to do"),
        ("", "", "nothing at all"),
    ],
)
def test_an_answer_is_shown_as_it_was_meant(written: str, shown: str, why: str) -> None:
    assert to_markdown(written) == shown, why


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"So \( x = ", "So "),
        (r"So \( x \) and \[ y", r"So \( x \) and "),
        (r"So \( x \) is", r"So \( x \) is"),
        ("```\n\\( x", "```\n\\( x"),
    ],
)
def test_a_formula_appears_once_it_is_whole(written: str, shown: str) -> None:
    assert without_open_formula(written) == shown
