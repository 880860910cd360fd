"""members.py SOURCE-DIR: every type of the first released headers is what it was. A structure's members stand there in
their order and with their types, new ones only behind them; aliases and signatures are the same word for word."""
import os
import re
import sys

HEADERS = ("types.h", "module.h")


def declarations(folder):
    """Structures by name, as lists of members, and the other typedefs by name."""
    text = ""
    for name in HEADERS:
        with open(os.path.join(folder, "chancery", name), encoding="utf-8") as f:
            text += f.read()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^#.*?(?<!\\)$", " ", text, flags=re.S | re.M)
    text = re.sub(r"\s+", " ", text)
    structs, aliases = {}, {}
    for m in re.finditer(r"struct (\w+) \{((?:[^{}]|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})*)\}", text):
        body = re.sub(r"(union|struct) \{.*\}", lambda inner: inner.group(0).replace(";", "|"), m.group(2))
        structs[m.group(1)] = [re.sub(r"\s+", " ", part).strip() for part in body.split(";") if part.strip()]
    for m in re.finditer(r"typedef ([^{};]+);", text):
        name = re.search(r"\(\*(\w+)\)|(\w+)$", m.group(1).strip())
        aliases[name.group(1) or name.group(2)] = m.group(1).strip()
    return structs, aliases


def main():
    source, wrong = sys.argv[1], 0
    old, old_aliases = declarations(os.path.join(source, "tests/abi/v1_0"))
    new, new_aliases = declarations(os.path.join(source, "include"))
    if len(old) < 15 or len(old_aliases) < 8:
        print("FAIL the frozen headers were not understood:", sorted(old), sorted(old_aliases))
        return 1
    for name, members in old.items():
        now = new.get(name, [])[:len(members)]
        if now != members:
            wrong += 1
            where = next((i for i, (a, b) in enumerate(zip(members, now)) if a != b), len(now))
            print(f"FAIL struct {name}: \"{members[where]}\" was its member {where + 1}")
    for name, what in old_aliases.items():
        if new_aliases.get(name) != what:
            wrong += 1
            print(f"FAIL typedef {name}: it was \"{what}\"")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
