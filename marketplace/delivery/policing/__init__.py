"""Parts of tables: columns left out, hashed or cut, and rows filtered, in a confined process of its own, once."""

from marketplace.delivery.policing.parent import Made, make
from marketplace.delivery.policing.recipe import NotEnforceable, Recipe, recipe_of

__all__ = ["Made", "NotEnforceable", "Recipe", "make", "recipe_of"]
