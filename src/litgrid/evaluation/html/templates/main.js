document.querySelectorAll("table.sortable").forEach(sortable);
for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
const described = JSON.parse(document.getElementById("described").textContent);
learning(described);
document.getElementById("old").hidden = "DecompressionStream" in self;
const read = reader(await unpack(document.getElementById("block").textContent));
imports(described, read);
week(described, read);
