"""The invoicer's rules, pure: who buys from whom, which tax, which number, when it is due."""
