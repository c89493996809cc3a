"""Questions of commands."""


def is_confirmed(question: str) -> bool:
    """Return whether the answer to a question is yes. Where nobody can answer, as in a crontab, it is no."""
    try:
        return input(question).strip().lower() == "yes"
    except EOFError:
        return False
