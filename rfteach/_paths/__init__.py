"""Other paths between the two ends than straight lines, and the conventions of other papers."""
