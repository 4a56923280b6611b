"""From submitted notebooks to reports, pages and the gradebook."""
