"""Where mails go without a mail server."""
