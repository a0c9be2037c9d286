"""Sends what is typed into a text area while it is being typed.

`st.text_area` reports its text only when the person leaves it, so that a reload in mid-sentence
would lose the sentence. A pause in typing is answered with Ctrl+Enter, the key with which a text
area reports without being left.
"""

import streamlit as st

_JS = """
export default function ({ data }) {
  const PAUSE = 600
  const timers = new Map()
  const report = (area) => area.dispatchEvent(new KeyboardEvent("keydown", {
    key: "Enter", code: "Enter", keyCode: 13, ctrlKey: true, bubbles: true, cancelable: true,
  }))
  const onInput = (event) => {
    const area = event.target
    if (!(area instanceof HTMLTextAreaElement)) return
    if (!area.closest(".st-key-" + data.inside)) return
    clearTimeout(timers.get(area))
    timers.set(area, setTimeout(() => report(area), PAUSE))
  }
  document.addEventListener("input", onInput, true)
  return () => {
    document.removeEventListener("input", onInput, true)
    timers.forEach(clearTimeout)
  }
}
"""

_COMPONENT = st.components.v2.component("keep_typing", js=_JS)


def keep_typing(inside: str) -> None:
    """Do so for the text areas of the container with this key."""
    _COMPONENT(key=f"keep_typing_{inside}", data={"inside": inside}, height=1)
