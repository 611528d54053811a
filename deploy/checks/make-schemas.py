"""JSON schemas for kubeconform: Kubernetes' own out of a kubernetes-validate wheel, custom resources out of their CRDs.

make-schemas.py TARGET KUBERNETES_VERSION WHEEL CRD.yaml…
"""

import json
import pathlib
import sys
import zipfile

import yaml


def close(schema):
    """Unknown fields are errors, as with kubeconform -strict; free-form objects stay free."""
    if isinstance(schema, list):
        return [close(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def main(target, version, wheel, *crds):
    folder = pathlib.Path(target)
    folder.mkdir(parents=True)
    inside = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(inside) and name.endswith(".json"):
                # Their ids and references name a server: the files beside each other will do.
                schema = json.loads(archive.read(name).decode().replace('"/api/_definitions.json', '"_definitions.json'))
                schema.pop("$id", None)
                (folder / name[len(inside) :]).write_text(json.dumps(schema))
    for path in crds:
        crd = yaml.safe_load(pathlib.Path(path).read_text())
        group = crd["spec"]["group"].split(".")[0]
        kind = crd["spec"]["names"]["kind"].lower()
        for each in crd["spec"]["versions"]:
            schema = each["schema"]["openAPIV3Schema"]
            # Their metadata says no more than "object".
            metadata = schema["properties"].pop("metadata", {"type": "object"})
            closed = close(schema)
            closed["properties"]["metadata"] = metadata
            (folder / f"{kind}-{group}-{each['name']}.json").write_text(json.dumps(closed))


main(*sys.argv[1:])
