"""Reading foreign files inside a sandboxed subprocess: ``profile_file`` tells what a file holds."""

from marketplace.catalog.profiling.parent import profile_file
from marketplace.catalog.profiling.result import Profile, ProfileLimits

__all__ = ["Profile", "ProfileLimits", "profile_file"]
