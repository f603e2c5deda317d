"""What managers are shown, from the record alone: which incidents are meant, and what their times, causes, noise and load on people were.

Each module answers one question with frozen values; wording is done here too, so that a page, a report and a CSV say the same. Nothing
here raises for data that is missing or thin: it says "too few incidents to say".
"""
