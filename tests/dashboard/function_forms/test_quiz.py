import pytest

from lib.dashboard.function_forms.quiz import Question, Quiz, read_quiz

EXPLAIN = "Explain what the Pythagorean theorem states and when it is used."


def one_question(**asked: object) -> Question:
    quiz = read_quiz({"title": "Quiz", "questions": [asked]})
    assert quiz is not None
    return quiz.questions[0]


def test_the_recorded_quiz_is_read_as_it_was_meant() -> None:
    quiz = read_quiz(
        {
            "title": "Math Quiz",
            "questions": [
                {"question_text": EXPLAIN, "question_type": "FREE RESPONSE"},
                {
                    "question_text": "What is 8^2 + 6^2? \nA) 100\nB) 64\nC) 36\nD) 80",
                    "question_type": "MULTIPLE_CHOICE",
                    "choices": ["A) 100", "B) 64", "C) 36", "D) 80"],
                },
            ],
        }
    )

    assert quiz == Quiz(
        "Math Quiz",
        (
            Question(EXPLAIN),
            Question("What is 8^2 + 6^2?", ("A) 100", "B) 64", "C) 36", "D) 80")),
        ),
    )


def test_a_missing_type_follows_from_the_choices() -> None:
    assert one_question(question_text="Q", choices=["a", "b"]).choices == ("a", "b")
    assert one_question(question_text="Q").choices == ()


def test_multiple_choice_without_choices_takes_the_lettered_lines_of_the_text() -> None:
    question = one_question(
        question_text="Which?\nA) one\nB) two", question_type="MULTIPLE_CHOICE", choices=[]
    )

    assert question == Question("Which?", ("A) one", "B) two"))


def test_multiple_choice_with_no_choices_anywhere_is_answered_freely() -> None:
    assert one_question(question_text="Which?", question_type="MULTIPLE_CHOICE").choices == ()


@pytest.mark.parametrize(
    "kind", ["FREE_RESPONSE", "FREE RESPONSE", "free-response", "Free Response", "OPEN_ENDED"]
)
def test_a_free_response_stays_free_though_it_brings_choices(kind: str) -> None:
    question = one_question(question_text="Q", question_type=kind, choices=["a", "b"])

    assert question == Question("Q\n\n- a\n\n- b")


def test_an_empty_list_of_questions_is_an_empty_quiz() -> None:
    assert read_quiz({"title": "Quiz", "questions": []}) == Quiz("Quiz", ())


def test_questions_of_no_readable_kind_are_no_quiz() -> None:
    assert read_quiz({"title": "Quiz", "questions": 7}) is None
