"""Pages without a script: signing in, and being refused. They need nothing but themselves."""

import re
from html import escape
from pathlib import Path

STYLE = Path(__file__).with_name("style.css").read_text("utf-8")
_DARK = re.search(r"body\.body--dark \{(.*?)\}", STYLE, re.DOTALL)
DARK = "" if _DARK is None else f"@media (prefers-color-scheme: dark) {{ :root {{{_DARK[1]}}} }}"
"""The dark colours, which other pages take by a script."""


def login_page(to: str, said: str = "", name: str = "") -> str:
    """Return the form to sign in with; `said` is why it is shown again."""
    trouble = f'<p class="box trouble" role="alert">{escape(said)}</p>' if said else ""
    first, second = ("", " autofocus") if name else (" autofocus", "")
    return _page(
        "Sign in",
        f"""{trouble}<form method="post" action="/login" class="sign-in">
<input type="hidden" name="to" value="{escape(to)}">
<label for="name">Name</label>
<input class="plain" id="name" name="name" value="{escape(name)}" maxlength="64" autocomplete="username"
 autocapitalize="none" spellcheck="false" required{first}>
<label for="password">Password</label>
<input class="plain" id="password" name="password" type="password" maxlength="256"
 autocomplete="current-password" required{second}>
<button class="plain main" type="submit">Sign in</button>
</form>
<p class="faint">An administrator of this machine makes accounts, and new passwords:
<code>./tailorbird account</code></p>""",
    )


def refusal_page(title: str, said: str, *, signed_in: bool) -> str:
    """Return a page that says why there is nothing to see."""
    out = '<form method="post" action="/logout"><button class="plain" type="submit">Sign out</button></form>'
    ways = f'<div class="bar-row"><a class="plain" href="/">To Today</a>{out}</div>' if signed_in else ""
    return _page(title, f'<p class="box trouble">{escape(said)}</p>{ways}')


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} - Tailorbird</title><link rel="icon" href="data:,"><style>{STYLE}{DARK}</style></head>
<body class="still"><header class="top"><span class="name">Tailorbird</span></header>
<main class="page narrow"><h1>{escape(title)}</h1>
{body}
</main></body></html>
"""
