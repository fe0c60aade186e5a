"""How fast fervid is on this machine: what a user waits for, and how much of the machine is used."""
