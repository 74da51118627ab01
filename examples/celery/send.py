"""Give the worker something to do: one task that ends well, at its second attempt, and one that fails."""

from tasks import send_mails

for addresses in (["ann@shop.example", "old@shop.example", "stranger@shop.example"], ["nobody"]):
    task = send_mails.delay(7, addresses)
    print(f"users.7.jobs.{task.id}")
