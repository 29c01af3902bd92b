# SPDX-License-Identifier: Apache-2.0
"""The API's own description, held against what the API really answers."""
import json
import re

import jsonschema

METHODS = ("get", "post", "put", "delete")


class Description:
    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver("", document)
        self.seen = set()  # (method, path, status) that were answered

    def operations(self):
        return {(method.upper(), path): operation for path, methods in self.document["paths"].items()
                for method, operation in methods.items() if method in METHODS}

    def resolve(self, node):
        return self.resolver.resolve(node["$ref"])[1] if "$ref" in node else node

    def operation(self, method, path):
        """(template, operation). A path with a literal segment goes before one with a parameter."""
        path = path.split("?")[0]
        for (known, template), operation in sorted(self.operations().items(), key=lambda item: item[0][1].count("{")):
            if known == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return template, operation
        raise AssertionError(f"{method} {path} is not described")

    def check(self, method, path, answer):
        """The status is described, and the body is what the description says."""
        template, operation = self.operation(method, path)
        described = operation["responses"].get(str(answer.status))
        assert described, f"{method} {template} may not answer {answer}"
        self.seen.add((method, template, answer.status))
        content = self.resolve(described).get("content")
        if not content:
            assert answer.body == b"", answer
            return answer
        kind = answer.headers["Content-Type"].split(";")[0]
        assert kind in content, f"{method} {template}: {kind} is not described for {answer.status}"
        if kind.endswith("json"):
            validator = jsonschema.Draft202012Validator(content[kind]["schema"], resolver=self.resolver,
                                                        format_checker=jsonschema.FormatChecker())
            validator.validate(json.loads(answer.body))
        return answer
