"""Pages for people: home, catalogue, documentation, problems, and where a payer comes back to."""

from flask import Blueprint

blp = Blueprint("pages", __name__, template_folder="templates")
