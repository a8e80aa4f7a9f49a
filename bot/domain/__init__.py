"""What Easel knows, with no I/O: words, states, prices, allowances, fairness, errors, ports."""
