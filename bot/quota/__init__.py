"""Who may spend what: rules, the policy, requests for credits, spending reports, and the operator's account at KIE."""
