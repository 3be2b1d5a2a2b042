// Run by mongosh: makes the replica set and the users of `access.json`; harmless when they are there.
// Each process may write its own databases; the journal may only be read and appended to, whoever asks.
const { readFileSync } = require("node:fs");

const secret = (name) => readFileSync(`/run/secrets/${name}`, "utf8").trim();
const access = JSON.parse(readFileSync("/deploy/mongo/access.json", "utf8"));
const HOST = "mongo:27017";

function initiate() {
  try {
    rs.status();
  } catch (error) {
    if (error.codeName !== "NotYetInitialized") throw error;
    rs.initiate({ _id: "rs0", members: [{ _id: 0, host: HOST }] });
  }
  while (!db.hello().isWritablePrimary) sleep(200);
}

function makeAppender() {
  const privileges = [{ resource: { db: "journal", collection: "" }, actions: access.journal }];
  const journal = db.getSiblingDB("journal");
  if (journal.getRole("appender")) journal.updateRole("appender", { privileges, roles: [] });
  else journal.createRole({ role: "appender", privileges, roles: [] });
}

function makeUser(name, databases) {
  const roles = databases.map((own) => ({ role: "readWrite", db: own }));
  roles.push({ role: "appender", db: "journal" });
  const admin = db.getSiblingDB("admin");
  const wanted = { pwd: secret(`mongo_password_${name}`), roles };
  if (admin.getUser(name)) admin.updateUser(name, wanted);
  else admin.createUser({ user: name, ...wanted });
}

db.getSiblingDB("admin").auth("root", secret("mongo_root_password"));
initiate();
makeAppender();
for (const [name, databases] of Object.entries(access.users)) makeUser(name, databases);
print("replica set and users are ready");
