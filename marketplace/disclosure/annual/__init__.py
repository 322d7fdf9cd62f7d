"""The annual report on the five principles of smart-city ordinances: figures, charts, pages and paper."""
