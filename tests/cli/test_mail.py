"""`marketplace mail`: where no mail server is set, links are taken from the machine."""

from dataclasses import replace

from click.testing import CliRunner

from marketplace import app as composition_root
from marketplace import cli
from marketplace.kit import mail
from marketplace.kit.transaction import transaction


def test_what_waits_is_printed_with_its_links(own_database):
    composed = replace(composition_root.composition(), settings=lambda: replace(own_database.config["MUSUBI_SETTINGS"]))

    def listed():
        result = CliRunner().invoke(cli.build(composed), ["mail", "list"])
        assert result.exit_code == 0, result.output
        return result.output

    assert listed() == ""
    with transaction():
        mail_id = mail.send("hana@example.jp", "招待", "次のリンク\n\nhttps://x.example/invitation/t\n")
    mail._note(mail_id, attempts=2, last_trouble="SMTPServerDisconnected")
    mail.db.session.commit()
    said = listed()
    for part in (mail_id, "to hana@example.jp", "招待", "https://x.example/invitation/t", "2 attempts, SMTPServer"):
        assert part in said
