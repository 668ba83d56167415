"""Pages of the site that are written by what they describe: commands, recipe, errors.

mkdocs calls `on_files` and the others; the pages are in no folder, so that they are never older
than the code.
"""

import inspect
import re
from dataclasses import fields

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url


def on_files(files: Files, config: MkDocsConfig) -> Files:
    pages = {"commands": commands_page, "recipe": recipe_page, "errors": errors_page}
    for name, write in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=write()))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """No option, short name or number is broken behind its hyphens."""
    html = re.sub(
        r"<code>(-[^<]{1,26}|[^<\s]{1,16})</code>", r'<code class="whole">\1</code>', html
    )
    return re.sub(
        r"<td([^>]*)>(-?[\d.]+e-\d+)</td>", r'<td\1><span class="whole">\2</span></td>', html
    )


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The one script that the theme would fetch is the site's own."""
    own = get_relative_url("assets/iframe-worker.js", page.url)
    return output.replace("https://unpkg.com/iframe-worker/shim", own)


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """Likewise the page for what is not found."""
    return output_content.replace("https://unpkg.com/iframe-worker/", "/assets/iframe-worker.js?")


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    import typer
    from typer.main import get_command

    from darter.cli.app import COMMANDS, _load

    parts = [
        "# Commands\n",
        "`darter COMMAND --help` says the same, and is what this page is made of.\n",
    ]
    for name, (where, about) in COMMANDS.items():
        app = typer.Typer(add_completion=False)
        app.command(name)(_load(where))
        command = get_command(app)
        usage = " ".join(
            command.collect_usage_pieces(command.make_context(name, [], resilient_parsing=True))
        )
        parts.append(f"## darter {name}\n\n{about}\n\n    darter {name} {usage}\n")
        parts.append(inspect.cleandoc(command.help or "") + "\n")
        rows = [row for parameter in command.params if (row := _row(parameter))]
        parts.append("| | what | default |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(parameter) -> str:
    """One argument or option as a row of a table."""
    if parameter.name == "help":
        return ""
    if parameter.param_type_name == "argument":
        names = parameter.metavar or parameter.name.upper()
    else:
        names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    words = (parameter.help or "").replace("|", "\\|").replace("\n", " ")
    given = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    plain = isinstance(given, str | int | float) and not isinstance(given, bool)
    return f"| `{names}` | {words} | {given if plain else ''} |"


def recipe_page() -> str:
    """Every entry of a recipe with its default and meaning."""
    from darter.train import Recipe
    from darter.train.rules import note

    parts = [
        "# Recipe\n",
        "Every setting of a training, by name. `darter train --recipe FILE` reads any of them from "
        "a TOML file, `darter.fit(…, epochs=20)` takes them as arguments, and each run writes "
        'all of them, as settled, to its `recipe.toml`. "auto" is measured at the start.\n',
        "| entry | default | |\n|---|---|---|",
    ]
    recipe = Recipe()
    for item in fields(Recipe):
        value = "the set “default”" if item.name == "augment" else repr(getattr(recipe, item.name))
        parts.append(f"| `{item.name}` | {value} | {note(item)} |".replace("\n", " "))
    return "\n".join(parts) + "\n"


def errors_page() -> str:
    """The exceptions, as their module draws them."""
    from darter import errors

    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n")
    drawn = "\n".join("    " + line for line in inspect.cleandoc(tree[1]).splitlines())
    return (
        "# Errors\n\nAn error says what was given, what was expected, what to do. In Python it is "
        "one of these, in `darter.errors`; a command prints it as `darter: …` and ends with exit "
        "status 2.\n\n"
        f"{drawn}\n\n"
        "| exit status | |\n|---|---|\n| 0 | done |\n"
        "| 1 | a defect of darter, with a traceback: please report it |\n"
        "| 2 | a mistake that you can mend, unusable input, or an output that cannot be written |\n"
        "| 130 | stopped by Ctrl-C or SIGTERM; a training is saved and says how to go on |\n"
        "| 141 | who read the output went away |\n"
    )
