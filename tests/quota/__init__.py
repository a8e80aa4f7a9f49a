"""Who may spend what: the policy, the breaker on KIE's account, and costs, as pure functions."""
