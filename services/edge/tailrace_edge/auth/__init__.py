"""Who may do what: tokens and tickets are turned into principals with rights inside tenants."""
