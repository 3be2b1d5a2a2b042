"""Who people are and what they may do: accounts, sessions, sign-in, and the guard that every page and door asks."""
