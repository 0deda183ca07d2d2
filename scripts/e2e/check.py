"""One line a check: "ok …" or "FAILED …". The script that starts these counts the lines."""


async def check(name, body):
    """Awaits one check; a failure is a line, not the end."""
    try:
        said = await body
        print(f"ok      {name}" + (f" ({said})" if said else ""), flush=True)
    except BaseException as error:  # noqa: BLE001 — groups of exceptions, too
        while isinstance(error, BaseExceptionGroup) and error.exceptions:
            error = error.exceptions[0]
        text = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"FAILED  {name}: {text[:400]}", flush=True)
