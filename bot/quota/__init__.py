"""Who may spend what: rules, the policy, requests for credits, spending reports, and KIE's account."""
