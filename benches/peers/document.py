"""Writes a table into a document."""


def write_between(document, name, text):
    """Replaces what is between the markers `<!-- name -->` and `<!-- end of name -->`."""
    before, rest = document.read_text().split(f"<!-- {name} -->\n")
    after = rest.split(f"<!-- end of {name} -->")[1]
    document.write_text(f"{before}<!-- {name} -->\n\n{text}\n\n<!-- end of {name} -->{after}")
