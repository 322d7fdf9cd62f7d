"""Privacy impact assessments (PIA): what a listing means for people, judged by somebody else before it is listed."""
