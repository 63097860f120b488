"""What a grid and its conditions are: tables, scenarios, profiles, and their validation. No numerics, no files."""
