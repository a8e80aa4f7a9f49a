"""The domain, without I/O: states, generations, prices, allowances, the fair queue, errors, and ports."""
