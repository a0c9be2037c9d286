"""Arguments as a confused or malicious model may write them, each with why it is here."""

import json

_LONG = "word " * 2_000

HOSTILE_ARGUMENTS: dict[str, str] = {
    "nothing at all": "",
    "only blanks": " \n\t ",
    "an empty object": "{}",
    "null": "null",
    "a bare string": '"quiz"',
    "a bare number": "42",
    "a bare list": '[{"question_text": "1 + 1?"}]',
    "true": "true",
    "cut off in the middle": '{"title": "Quiz", "questions": [{"question_te',
    "single quotes": "{'title': 'Quiz', 'questions': []}",
    "a trailing comma": '{"title": "Quiz", "questions": [],}',
    "prose instead of JSON": "Sure! Here is the quiz you asked for.",
    "JSON in a fence": '```json\n{"title": "Quiz"}\n```',
    "two objects": '{"title": "One"}{"title": "Two"}',
    "duplicate keys": '{"title": "One", "title": "Two", "questions": [{"question_text": "Q"}]}',
    "no questions": '{"title": "Quiz"}',
    "an empty list of questions": '{"title": "Quiz", "questions": []}',
    "questions are null": '{"title": null, "questions": null}',
    "questions are a number": '{"title": "Quiz", "questions": 7}',
    "questions are plain texts": '{"title": "Quiz", "questions": ["1 + 1?", "2 + 2?"]}',
    "questions are one object": '{"title": "Quiz", "questions": {"question_text": "1 + 1?"}}',
    "questions are lists": '{"title": "Quiz", "questions": [[1, 2], [], [[]]]}',
    "questions are null inside": '{"title": "Quiz", "questions": [null, null]}',
    "the title is an object": '{"title": {"a": 1}, "questions": [{"question_text": "Q"}]}',
    "the text is a number": '{"title": "Quiz", "questions": [{"question_text": 12}]}',
    "choices are an object": json.dumps(
        {"questions": [{"question_text": "Q", "choices": {"A": "one", "B": {"text": "two"}}}]}
    ),
    "choices are one text": '{"questions": [{"question_text": "Q", "choices": "one\\ntwo"}]}',
    "choices are numbers and null": json.dumps(
        {"questions": [{"question_text": "Q", "choices": [1, 2.5, None, True, [3], {}]}]}
    ),
    "choices repeat themselves": json.dumps(
        {"questions": [{"question_text": "Q", "choices": ["same", "same", "same"]}]}
    ),
    "a thousand choices": json.dumps(
        {"questions": [{"question_text": "Q", "choices": [f"c{n}" for n in range(1000)]}]}
    ),
    "five hundred questions": json.dumps(
        {"title": "Quiz", "questions": [{"question_text": f"Q{n}"} for n in range(500)]}
    ),
    "ten thousand characters": json.dumps(
        {"title": _LONG, "questions": [{"question_text": _LONG, "choices": [_LONG, _LONG + "!"]}]}
    ),
    "one word of ten thousand letters": json.dumps(
        {"title": "x" * 10_000, "questions": [{"question_text": "y" * 10_000}]}
    ),
    "HTML and script": json.dumps(
        {
            "title": "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
            "questions": [
                {
                    "question_text": "<iframe src='javascript:document.title=\"owned\"'></iframe>",
                    "choices": ["<b onclick=alert(1)>bold</b>", "</label><h1>big</h1>"],
                }
            ],
        }
    ),
    "Markdown that calls home": json.dumps(
        {
            "title": "![x](https://example.org/pixel.png)",
            "questions": [{"question_text": "[go](javascript:alert(1)) ![x](http://a.example/p)"}],
        }
    ),
    "Streamlit's own directives": json.dumps(
        {
            "title": ":red[:material/error:] :streamlit: $$\\frac{1}{$$",
            "questions": [{"question_text": "\\( \\unclosed", "choices": ["$x$", ":blue[y"]}],
        }
    ),
    "controls and reordering": json.dumps(
        {
            "title": "safe\u202eevil\u2066\u0000\u0007\ufeff",
            "questions": [{"question_text": "a\u200bb\u0000c", "choices": ["\u0000", "\u202e"]}],
        }
    ),
    "half a surrogate pair": '{"title": "\\ud83d", "questions": [{"question_text": "\\udead"}]}',
    "NaN and infinities": (
        '{"title": "Quiz", "questions": [{"question_text": NaN, "choices": [Infinity, -Infinity]}]}'
    ),
    "huge numbers": '{"title": 1e999, "questions": [{"question_text": 123456789e400}]}',
    "a number of five thousand digits": '{"questions": [' + "9" * 5_000 + "]}",
    "nested a hundred deep": '{"questions": ' + "[" * 100 + "]" * 100 + "}",
    "nested a hundred thousand deep": "[" * 100_000,
    "objects nested a hundred deep": '{"questions":' * 100 + "1" + "}" * 100,
    "keys like Python's own": '{"__class__": 1, "self": 2, "questions": [{"__proto__": {"a": 1}}]}',
    "empty keys": '{"": "", "questions": [{"": "", "question_text": ""}]}',
}
