"""Function calls as forms: what is asked, which fields that makes, what goes back to the model.

Everything in here is plain logic without Streamlit; `lib/dashboard/waiting_form.py` draws it.
"""
