"""Runs ckanext-harvest's stages in a CKAN's own database: gather, fetch and import; prints what CKAN then has as JSON.

The database is real, and so are CKAN's schema, validators and actions. What CKAN keeps beside it, an index (Solr) and a
queue (Redis), is not there: nothing is indexed, and the stages are called one after another, as the queue would.
"""

import json
import logging
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

logging.disable(logging.CRITICAL)
asked = json.load(sys.stdin)
out, sys.stdout = sys.stdout, sys.stderr
folder = tempfile.mkdtemp()

from ckan.lib import search  # noqa: E402
from ckan.lib.search import index, query  # noqa: E402

search.check_solr_schema_version = lambda *_given: True
for name in ("update_dict", "remove_dict", "index_package", "delete_package", "commit"):
    setattr(index.PackageSearchIndex, name, lambda *_given, **_more: None)


def nothing(self, *_given, **_more):
    self.count, self.results, self.facets = 0, [], {}
    return {"count": 0, "results": []}


query.PackageSearchQuery.run = nothing

from ckan.cli import CKANConfigLoader  # noqa: E402
from ckan.config.middleware import make_app  # noqa: E402

ini = Path(folder, "ckan.ini")
ini.write_text(f"""[app:main]
use = egg:ckan
SECRET_KEY = nothing-to-keep
sqlalchemy.url = {asked["database_url"]}
solr_url = http://127.0.0.1:9/solr
ckan.redis.url = redis://127.0.0.1:9/0
ckan.site_url = http://ckan.invalid
ckan.storage_path = {folder}
ckan.plugins = harvest ckan_harvester
""")
config = CKANConfigLoader(str(ini)).get_config()
app = make_app(config)

from ckan import model  # noqa: E402
from ckan.cli.db import _run_migrations  # noqa: E402
from ckan.plugins import toolkit  # noqa: E402
from ckanext.harvest import model as harvest  # noqa: E402
from ckanext.harvest.harvesters.ckanharvester import CKANHarvester  # noqa: E402


def act(action, **data):
    return toolkit.get_action(action)({"ignore_auth": True, "user": "admin"}, data)


def found_portal():
    """Make CKAN's tables, an administrator, an organization and the source to harvest."""
    model.repo.init_db()
    _run_migrations("harvest", None, forward=True)
    act("user_create", name="admin", email="admin@ckan.invalid", password="a long password", sysadmin=True)
    model.User.get("admin").sysadmin = True
    model.repo.commit()
    owner = act("organization_create", name="city", title="札幌市")
    source = {"name": "musubi", "title": "Musubi", "url": asked["url"], "source_type": "ckan", "frequency": "MANUAL"}
    return act("harvest_source_create", **source, owner_org=owner["id"], config=json.dumps(asked["config"]))["id"]


def harvested(source_id):
    """Run one job through its stages; tells what became of each object."""
    job = harvest.HarvestJob(source=harvest.HarvestSource.get(source_id), gather_started=now())
    job.save()
    harvester = CKANHarvester()
    ids = harvester.gather_stage(job) or []
    job.gather_finished = now()
    outcomes = []
    for object_id in ids:
        taken = harvest.HarvestObject.get(object_id)
        harvester.fetch_stage(taken)
        outcomes.append(harvester.import_stage(taken))
        taken.state = "COMPLETE"
        taken.save()
    job.status, job.finished = "Finished", now()
    job.save()
    faults = model.Session.query(harvest.HarvestGatherError.message).filter_by(harvest_job_id=job.id).all()
    faults += (
        model.Session.query(harvest.HarvestObjectError.message)
        .join(harvest.HarvestObject)
        .filter_by(harvest_job_id=job.id)
        .all()
    )
    return {"outcomes": [str(one) for one in outcomes], "faults": [one[0] for one in faults]}


def now():
    return datetime.now(UTC).replace(tzinfo=None)


def packages():
    """What CKAN's own package_show tells of all that it has."""
    names = model.Session.query(model.Package.name).filter_by(type="dataset", state="active").all()
    return [act("package_show", id=one[0]) for one in names]


with app.test_request_context():
    source_id = asked.get("source_id") or found_portal()
    told = harvested(source_id)
    out.write(json.dumps(told | {"source_id": source_id, "packages": packages()}))
