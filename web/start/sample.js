// A file of invented people, for those who have none at hand. The addresses end in `.example`, so
// that no mail can ever reach anybody.

const FIRST = "Anna Björn Chloé Dmitri Elif Fatima George Håkon Iñigo Jana Kofi Liam María Noah Olga Péter Renée Søren Tomáš Vera Wei Yuki Zoë Łukasz".split(" ");
const LAST = "Smith Müller García Nowak Ivanova Sørensen Dvořák Rossi Silva Öztürk Nguyễn Tanaka Lefèvre Ångström Jones Kim Chen Papadopoulos Szabó Okafor".split(" ");
const CITIES = ["Lübeck,DE", "Bergen,NO", "Gdańsk,PL", "Riga,LV", "Tallinn,EE", "Malmö,SE", "Bruges,BE", "Porto,PT", "Cork,IE"];
const TITLES = ["Buyer", "Head of Purchasing", "Managing Director", "Office Manager", "Logistics", "Accountant"];

const plain = (name) => name.normalize("NFD").replace(/[^a-z]/gi, "").toLowerCase();

/** A CSV file with so many people, the same at each use. */
export function sample(people) {
  const lines = ["First name,Last name,E-mail,Phone,Title,City,Country"];
  for (let i = 0; i < people; i++) {
    const [first, last] = [FIRST[(i * 7) % FIRST.length], LAST[(i * 13 + (i >> 3)) % LAST.length]];
    const mail = `${plain(first)}.${plain(last)}.${i + 1}@invented.example`;
    const phone = `+49 451 ${String(5550000 + i).slice(0, 3)} ${String(5550000 + i).slice(3)}`;
    lines.push(`${first},${last},${mail},${phone},${TITLES[(i * 5) % TITLES.length]},${CITIES[(i * 3) % CITIES.length]}`);
  }
  return new File([`${lines.join("\r\n")}\r\n`], "invented-people.csv", { type: "text/csv" });
}
