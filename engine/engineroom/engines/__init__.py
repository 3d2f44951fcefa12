"""Where a wheel keeps its engines and the list of them; holds no code."""
