from streamlit.testing.v1 import AppTest


def page_that_draws_itself_anew() -> None:
    import streamlit as st

    from lib.dashboard.dialogs import begin_page, dialog, rerun_when_free

    begin_page()
    st.session_state["drawn"] = st.session_state.get("drawn", 0) + 1

    @dialog("Your name")
    def ask() -> None:
        st.text_input("Name")

    if st.session_state.get("asks"):
        ask()
    if st.session_state["drawn"] < 3:
        rerun_when_free()
    st.text(f"drawn {st.session_state['drawn']} times")


def test_a_page_is_drawn_anew_when_no_dialog_is_open() -> None:
    app = AppTest.from_function(page_that_draws_itself_anew)

    app.run()

    assert app.text[0].value == "drawn 3 times"


def test_an_open_dialog_keeps_its_page_from_being_drawn_anew() -> None:
    app = AppTest.from_function(page_that_draws_itself_anew)
    app.session_state["asks"] = True

    app.run()

    assert app.text[0].value == "drawn 1 times"
    assert app.text_input[0].label == "Name"
