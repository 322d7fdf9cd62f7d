"""Other people's protocols on top of the exchange's stories."""
