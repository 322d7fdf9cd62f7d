"""What buyers owe: due dates, credit limits, money applied to invoices, reminders."""
