"""Functions that come ready to be given to an assistant."""

from typing import Any

DISPLAY_QUIZ: dict[str, Any] = {
    "name": "display_quiz",
    "description": (
        "Displays a quiz to the student, and returns the student's response. "
        "A single quiz can have multiple questions."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "questions": {
                "type": "array",
                "description": (
                    "An array of questions, each with a title and potentially options "
                    "(if multiple choice)."
                ),
                "items": {
                    "type": "object",
                    "properties": {
                        "question_text": {"type": "string"},
                        "question_type": {
                            "type": "string",
                            "enum": ["MULTIPLE_CHOICE", "FREE_RESPONSE"],
                        },
                        "choices": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["question_text"],
                },
            },
        },
        "required": ["title", "questions"],
    },
}

ASK_APPROVAL: dict[str, Any] = {
    "name": "ask_approval",
    "description": (
        "Asks a person to approve an action before it is taken. "
        "Call this before anything that cannot be undone."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "action": {"type": "string", "description": "What is about to be done."},
            "reason": {"type": "string", "description": "Why it should be done."},
        },
        "required": ["action"],
    },
    "result_schema": {
        "type": "object",
        "properties": {
            "approved": {"type": "boolean", "title": "Approve this action?"},
            "comment": {"type": "string", "title": "Comment"},
        },
        "required": ["approved"],
    },
}

ASK_CHOICE: dict[str, Any] = {
    "name": "ask_choice",
    "description": "Asks a person to choose among options, and returns what was chosen.",
    "parameters": {
        "type": "object",
        "properties": {
            "question": {"type": "string"},
            "options": {"type": "array", "items": {"type": "string"}},
            "multiple": {"type": "boolean", "description": "Whether several may be chosen."},
        },
        "required": ["question", "options"],
    },
}

COLLECT_DATA: dict[str, Any] = {
    "name": "collect_data",
    "description": "Asks a person to fill in a form, and returns what was entered as an object.",
    "parameters": {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "fields": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "description": "Key of the value, snake_case."},
                        "label": {"type": "string"},
                        "type": {
                            "type": "string",
                            "enum": [
                                "text",
                                "long_text",
                                "number",
                                "integer",
                                "yes_no",
                                "date",
                                "datetime",
                                "time",
                                "file",
                            ],
                        },
                        "options": {"type": "array", "items": {"type": "string"}},
                        "required": {"type": "boolean"},
                    },
                    "required": ["name", "label", "type"],
                },
            },
        },
        "required": ["title", "fields"],
    },
}

READY_MADE: dict[str, dict[str, Any]] = {
    "Quiz": DISPLAY_QUIZ,
    "Approval": ASK_APPROVAL,
    "Choice": ASK_CHOICE,
    "Data entry": COLLECT_DATA,
}
"""Definitions by the names under which they are picked."""

EXAMPLE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "display_quiz": {
        "title": "Sample quiz",
        "questions": [
            {"question_text": "What is 8 × 7?", "choices": ["54", "56", "58"]},
            {"question_text": "Why is it so?", "question_type": "FREE_RESPONSE"},
        ],
    },
    "ask_approval": {"action": "Send the invitation to 40 people", "reason": "The date is set."},
    "ask_choice": {"question": "Which day suits you?", "options": ["Monday", "Tuesday"]},
    "collect_data": {
        "title": "Your details",
        "fields": [
            {"name": "name", "label": "Name", "type": "text"},
            {"name": "birthday", "label": "Birthday", "type": "date"},
        ],
    },
}
"""What a preview shows in place of a model's call."""
