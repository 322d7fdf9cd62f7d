"""Under what terms: typed usage terms, their policy, offers and acceptances."""
