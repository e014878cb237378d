"""The rules of metrics extraction: values in, values out, one rule's subject to a module.

checks, facts, masterdata: what is taken in. release: when a job may be billed. materials, times,
counters, operations: facts put together. gang: several jobs on one sheet. billable, costs,
metrics: what may be charged, what it cost. extraction: all of it, in order.
"""
