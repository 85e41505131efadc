"""For each kind a component that does all it has to, and for each check one that fails it and no other."""
