"""Texts as people write them besides sentences: addresses, amounts, dates, numbers, names, marks.

All are printable ASCII. Mail and web addresses are under names that are reserved for examples (RFC
2606, RFC 6761, RFC 5737), so that they are nobody's.
"""

import itertools
import string
from collections.abc import Mapping

import numpy as np

from base.base_dataset import SPLITS
from data_loader.synthetic import corpus
from data_loader.synthetic.corpus import Draws, clause, phrases, split_of, words
from data_loader.synthetic.templates import Fields, fill, templates
from utils.checks import DataError

LENGTHS = (4, 60)
"""Fewest and most characters of a text."""

TLDS = phrases("example.com|example.org|example.net|example|test")


def calculation(draws: Draws) -> str:
    """Return a calculation of whole numbers, such as "84 / 7 = 12", that is right."""
    one, other = draws.between(2, 99), draws.between(2, 99)
    blank = draws.pick((" ", " ", ""))
    left, sign, right, result = draws.pick(
        (
            (one, "+", other, one + other),
            (one + other, "-", other, one),
            (one, draws.pick("x*"), other, one * other),
            (one * other, draws.pick("/:"), other, one),
        )
    )
    return blank.join(map(str, (left, sign, right, "=", result)))


def thousands(draws: Draws) -> str:
    """Return a whole number from 1,000 to 99,999,999 with commas, as often short as long."""
    return f"{draws.between(1000, 10 ** draws.between(4, 8) - 1):,}"


FIELDS: Fields = {
    "thing": corpus.THINGS,
    "quality": corpus.QUALITIES,
    "person": corpus.PEOPLE,
    "city": corpus.CITIES,
    "month": corpus.MONTHS,
    "mon": [month[:3] for month in corpus.MONTHS],
    "long": words("January March May July August October December"),
    "day": corpus.DAYS,
    "dy": [day[:3] for day in corpus.DAYS],
    "few": corpus.NUMBERS,
    "time": corpus.TIMES,
    "greeting": corpus.GREETINGS,
    "shout": corpus.SHOUTS,
    "A": corpus.LETTERS,
    "a": string.ascii_lowercase,
    "clause": clause,
    "calculation": calculation,
    "thousands": thousands,
    "pointed": lambda draws: thousands(draws).replace(",", "."),
    "quoted": lambda draws: thousands(draws).replace(",", "'"),
    "spaced": lambda draws: thousands(draws).replace(",", " "),
    "open": "{",
    "close": "}",
    "first": corpus.FIRST_NAMES
    + words("""
Aaron Agnes Aisha Ali Amir Beth Boris Bruno Carmen Chen Colin Daisy Dev Elif Ewa Farid Freya Gwen
Haruto Hector Imani Ines Isaac Jana Jill Joseph Juan Kenji Khalid Kirsten Lars Leila Lena Magda
Malik Mateo Nadia Niels Omar Oona Pavel Pia Priya Quincy Raj Rhys Ruth Samir Sven Tariq Thea Usha
Vivek Wanda Wei Xiu Yasmin Yusuf Zara Zoltan
"""),
    "plain": corpus.LAST_NAMES
    + words("""
Ahmed Bishop Chandra Costa Diaz Ekman Ferrari Fuchs Gupta Haddad Hoffmann Iqbal Ivanov Jansen Kaur
Kowalski Kuznetsov Larsen Levy Lund Mbeki Mendes Nakamura Nguyen Oduya Okafor Pereira Petrov Qureshi
Quigley Rahman Ruiz Sato Schulz Silva Tanaka Thorne Ueda Underwood Varga Volkov Walsh Weiss Xavier
Yamada Yilmaz Zapata Zimmer
"""),
    "gaelic": words("""
O'Brien O'Connor O'Dell O'Hara O'Keefe O'Leary O'Neill O'Rourke O'Shea O'Toole D'Angelo D'Souza
McAdam McBride McCoy McDonald McEwan McGee McKay McLeod McQueen McVie MacArthur MacGregor MacKenzie
DeWitt DiCaprio FitzGerald LaRue LeBlanc VanDyke
"""),
    "noble": phrases("""
van der Berg|van den Bos|van Dijk|van 't Hof|von Braun|von der Heide|de la Cruz|de Groot|de Souza|
del Rio|della Torre|di Marco|da Silva|dos Santos|du Pont|de Vries|la Fontaine|le Roux|ten Have|
ter Horst|zu Stein|bin Salem|al-Farsi|el-Khoury|ben Ezra|St. Clair|St. John|Mac an Ghoill
"""),
    "last": (*["{plain}"] * 6, "{gaelic}", "{gaelic}", "{noble}", "{plain}-{plain}"),
    "title": phrases("""
Mr|Mrs|Ms|Mr.|Mrs.|Ms.|Dr|Dr.|Prof.|Prof. Dr.|Sir|Lady|Lord|Rev.|Fr.|Capt.|Lt.|Sgt.|Col.|Gen.|Hon.|
Miss|Mme|Sr.|Herr|Frau
"""),
    "monarch": words("""
Albert Anne Boris Carl Catherine Charles Edward Elizabeth Felipe Frederick George Gustav Harald
Henry James Karl Leopold Louis Margrethe Mary Napoleon Olav Otto Peter Philip Robert Rudolf
Sigismund Wilhelm William Benedict Gregory John Pius
"""),
    "roman": words("I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXIII"),
    "road": words("""
Street Road Avenue Lane Square Drive Court Close Hill Row Way Terrace Crescent Place Walk Quay St.
Rd Ave Ave. Blvd Ln Sq.
"""),
    "host": [
        *TLDS[:3],
        *(f"{start}.{name}" for name in TLDS for start in ("{label}", "{label}", "{thing}")),
        "{thing}-{thing}.example",
        "{quality}{thing}.test",
        "{thing}{1-99}.example.org",
        "{a}{a}{a}.example",
        "{label}.{city:lower}.example.com",
    ],
    "label": words("""
alumni api archive bank billing blog bookings cafe careers clinic cloud club contact council data
dev docs edu events files forum ftp help home hr imap info intranet it jobs lab law mail maps museum
music my news office ops orders post press radio sales school shop smtp staff static status store
support team tickets travel tv uni wiki zoo mx1 mx2 s3 v2 us-east ns1 web2
"""),
    "user": templates("""
{first:lower} ¦ {first:lower}{1-99} ¦ {first:lower}.{plain:lower} ¦ {first:lower}.{plain:lower}
{first:lower}_{plain:lower} ¦ {first:lower}-{plain:lower} ¦ {first}.{plain}
{first:initial}.{plain} ¦ {a}.{plain:lower} ¦ {a}{plain:lower} ¦ {a}{a}{1-999}
{plain:lower}{1950-2019} ¦ {plain:lower}.{first:lower} ¦ {first:lower}.{a}.{plain:lower}
{first:lower}+{thing} ¦ {label} ¦ {label}-{label} ¦ {label}.{city:lower} ¦ {quality}_{thing}
{quality}.{thing}{0-99} ¦ x{thing}x ¦ no-reply ¦ the.{person}
"""),
    "suffix": words("""
txt pdf doc docx odt csv xlsx png jpg jpeg gif svg zip tar.gz md html xml json py
"""),
    "file": templates("""
{thing}.{suffix} ¦ {thing}_{thing}.{suffix} ¦ {thing}-{1-99}.{suffix}
{thing:capital}{thing:capital}.{suffix} ¦ {quality}_{thing}_v{1-9}.{suffix}
{thing} ({1-9}).{suffix} ¦ {month}-{1990-2035}.{suffix} ¦ IMG_{#9999}.JPG ¦ DSC{#99999}.jpg
scan{#999}.pdf ¦ {2000-2035}-{01-12}-{01-28}.{suffix} ¦ README.md ¦ ~{thing}.tmp
{thing}.{suffix}.bak
"""),
    "acronym": words("""
ABC AGM AI ATM BBC BMW CBD CD CEO CIA CNN CPR CV DIY DJ DNA DVD ECB EFTA ESA EU FAQ FBI FIFA GDP GMT
GPS HIV HQ HR HTML IBM ID IKEA IMF IOU IQ ISBN JFK JPEG KLM LA LED LGBTQ MBA MIT MP MRI MTV NASA
NATO NBA NHS NYC OECD OK PC PDF PE PhD PIN PR PTA QC QR RAF RNA RSVP SMS SOS SQL SUV TGV TNT TV UFO
UK UN UNESCO UNICEF URL USA USB UV VAT VIP VW WC WHO WWF XL XML XXL YHA YMCA ZIP
"""),
    "rare": words("""
AZTEC BAZAAR BEQUEST BLITZ BOXING BREXIT BUZZ CHEQUE CONQUEST CRAZY DAZZLE DELUXE EQUINOX EXCHANGE
EXPRESS FJORD FREQUENCY GAZETTE HOAX IRAQ JACUZZI JAZZ JEOPARDY JINX JOCKEY JOYSTICK JUKEBOX
JUNCTION KAYAK KHAKI KIOSK KNOCK LIQUID LUXURY MAXIMUM MOZZARELLA OBJECT OXYGEN PIZZA PROJECT PUZZLE
QUARTZ QUAY QUERY QUEUE QUIZ QUOTA REQUIEM SQUASH SQUEEZE SUBJECT SYNTAX TAXI TEQUILA UNIQUE VEX
VIXEN VODKA VORTEX WALTZ WAXWORKS WIZARD XYLOPHONE YUZU ZEBRA ZENITH ZIGZAG ZINC ZODIAC ZUCCHINI
"""),
    "notice": phrases("""
KEEP LEFT|SOLD OUT|NO SMOKING|STAFF ONLY|MIND THE GAP|CAUTION: WET FLOOR|ENTRANCE|CHECK-IN|
BAGGAGE CLAIM|EMERGENCY EXIT|CASH ONLY|NO DOGS|PRIVATE PROPERTY|PAY HERE|PUSH|PULL|LIFT TO OPEN|
DO NOT DISTURB|NO JUNK MAIL|TO LET|BEWARE OF THE DOG|ROAD WORKS AHEAD|ONE WAY|GIVE WAY|
HIGH VOLTAGE|FIRE HOSE|TOP SECRET|DO NOT BEND|PAR AVION|PRIORITY MAIL|LAST ORDERS|HAPPY HOUR|
GRAND OPENING|EVERYTHING MUST GO|MISSING CAT|GARAGE SALE|RESERVED|VACANCIES|UNDER REPAIR|
MEN AT WORK|RING TWICE|QUIET ZONE
"""),
    "unit": words("""
kg g mg lb oz l ml cl km m cm mm miles ft in. min h s kW kWh V W Hz MB GB m2 mph km/h
"""),
    "code": words("""
USD EUR GBP CHF JPY SEK NOK DKK PLN CZK HUF CAD AUD NZD INR BRL ZAR CNY TRY MXN
"""),
    "money": words("""
dollars euros pounds francs yen kronor kroner zloty crowns rupees rand cents pence
"""),
    "cents": ("00", "50", "99", "95", "{00-99}", "{00-99}", "{00-99}"),
    "price": ("{1-9}.{cents}", "{10-99}.{cents}", "{100-999}.{cents}", "{thousands}.{cents}"),
    "comma": ("{1-9},{cents}", "{10-99},{cents}", "{100-999},{cents}", "{pointed},{cents}"),
    "clock": ("{0-23}:{00-59}", "{00-23}:{00-59}", "{1-12}.{00-59}", "{7-22}:{00|15|30|45}"),
    "pm": words("am pm a.m. p.m. AM PM"),
    "nth": ("{1|21}st", "{2|22}nd", "{3|23}rd", "{4-20}th", "{24-30}th"),
    "year": ("{1890-2049}", "{1990-2035}"),
    "subject": words("physics maths algebra latin chemistry history music biology poetry law"),
}  # fmt: skip
"""What the fields of the templates stand for."""

TEMPLATES: Mapping[str, list[str]] = {
    "e-mail": templates("""
{user}@{host} ¦ {user}@{host} ¦ {user}@{host} ¦ {user}@{host} ¦ {user}@{host} ¦ {user}@{host}
{first} <{user}@{host}> ¦ {user}@{host}, {user}@{host} ¦ {user}@{host}; {user}@{host}
To: {user}@{host} ¦ Cc: {user}@{host} ¦ From: {user}@{host} ¦ Reply to {user}@{host}
e-mail {user}@{host} ¦ E-Mail: {user}@{host} ¦ email {first} at {user}@{host}
my new address: {user}@{host} ¦ questions? {user}@{host} ¦ send it to {user}@{host}
({user}@{host}) ¦ "{first}" <{user}@{host}> ¦ mailto:{user}@{host}
{user}@{host} or call {#999-9999} ¦ {user}@{host} (work) ¦ private: {user}@{host} ¦ root@localhost
{first:lower}@localhost ¦ {user}@192.0.2.{1-254} ¦ bounced: {user}@{host}!
not {user}@{host}, sorry ¦ {user} [at] {host} ¦ {first:upper}.{plain:upper}@EXAMPLE.COM
"""),
    "address": templates("""
https://{host}/ ¦ https://{host}/{thing} ¦ https://{host}/{thing}/{thing}
https://{host}/{thing}s?page={1-99} ¦ https://{host}/{label}/{2000-2035}/{01-12}
https://{host}/#{thing} ¦ https://{host}/~{first:lower} ¦ https://{host}/?q={thing}+{thing}
http://{host} ¦ http://{host}:8080/{label} ¦ http://localhost:{3000-9999}/{thing}
http://192.0.2.{1-254}/{label} ¦ 192.0.2.{1-254}:{80-9999} ¦ {host}/{file} ¦ {host}/{thing}
www.{host} ¦ www.{host}/{thing} ¦ www.{host}/{quality}-{thing} ¦ ftp://{host}/{file}
ssh {first:lower}@{host} ¦ git@{host}:{thing}/{thing}.git ¦ at {host}/{label}
more: {host}/{thing}_{1-99} ¦ visit www.{host}! ¦ C:\\{thing}\\{file}
D:\\{thing:capital}s\\{file} ¦ {A}:\\{label}\\{thing}\\{thing} ¦ C:\\Users\\{first}\\{thing}
\\\\{label}\\{thing}\\{file} ¦ /home/{first:lower}/{file} ¦ /usr/{bin|lib|share}/{thing}
/etc/{thing}.conf ¦ /var/log/{thing}.log ¦ ~/{thing}/{file} ¦ ~/.{thing}rc ¦ ./{thing}.sh
../{thing}/{file} ¦ ../../{file} ¦ {file} ¦ {file} ¦ cd {thing}/{thing} ¦ file:///{thing}/{file}
{thing}/*.{suffix} ¦ 192.0.2.{0-254}/24
"""),
    "capitals": templates("""
{clause:upper} ¦ {clause:upper} ¦ {clause:upper}. ¦ {clause:upper}! ¦ {notice} ¦ {notice}!
{notice} - {notice} ¦ {shout} / {notice} ¦ {rare} {rare} ¦ {rare} {thing:upper} {rare}
{rare} & {rare} {thing:upper} ¦ THE {rare} OF {city:upper} ¦ THE {quality:upper} {thing:upper}
{quality:upper} {rare} {thing:upper}
{quality:upper} {thing:upper}S FOR {quality:upper} {person:upper}S ¦ {first:upper} {last:upper}
{first:upper} VS. {first:upper} ¦ {first:upper}'S {rare} ¦ {city:upper} - {city:upper} EXPRESS
{city:upper}, {day:upper} {1-28} {month:upper} ¦ NEXT STOP: {city:upper}
{few:upper} {thing:upper}S, {few:upper} {thing:upper}S ¦ CHAPTER {roman}
CHAPTER {few:upper}: THE {thing:upper} ¦ {greeting:upper}! ¦ ATTN: {first:upper} {plain:upper}
NO {thing:upper}S AFTER {1-12} {PM|AM} ¦ ALL {thing:upper}S MUST BE {CLEAN|PAID|LOCKED|KEPT DRY}
{thing:upper} ZONE {A} ¦ WHY {quality:upper} {thing:upper}S? ¦ {day:upper} ONLY
BUY {few:upper}, GET ONE FREE ¦ the {acronym} {thing} ¦ {acronym} {thing}s
an old {acronym} {thing} ¦ {acronym} and {acronym} ¦ from {acronym} to {acronym}
{first} joined the {acronym} ¦ my {acronym} {thing} is {quality}
{acronym}, {acronym} or {acronym}? ¦ {quality} {acronym} {thing} in {city}
it is {quality:upper}, not {quality:upper} ¦ {first} said {GO|NO|STOP|YES|NEVER|WOW|HELP|WAIT|OK}!
the word {rare} ¦ {rare} means {quality} ¦ {thing:capital} {rare} {1-99}
{A}{A}{A} {thing:upper} {A}{A} ¦ {A}.{A}.{A}. {thing:upper}
"""),
    "amount": templates("""
${price} ¦ ${price} ¦ ${1-9}.{cents} each ¦ ${1-99} ¦ -${price} ¦ ${price} + tax
${1-9}.{1-9} million ¦ ${1-999}k ¦ US${thousands} ¦ A${price} ¦ {1-99} {money} ¦ {few} {money}
{code} {price} ¦ {code} {comma} ¦ {comma} {code} ¦ {spaced} {code} ¦ CHF {quoted}.{cents}
Fr. {1-99}.{cents} ¦ {1-99}.- per {thing} ¦ {1-999} kr ¦ {comma} zl ¦ Rs. {thousands} ¦ R$ {comma}
{5-95}p ¦ {5-95}c a {thing} ¦ {1-99}% ¦ {1-99}.{0-9}% ¦ {0-9},{0-9} % ¦ +{1-9}.{00-99} %
-{5-75}% on {thing}s ¦ {5-75}% off ¦ {1-15}-{20-40}% ¦ {1-99} {unit} ¦ {1-9}.{0-9} {unit}
{0-9},{00-99} {unit} ¦ {1-999}{unit} ¦ {2-12} x {1-999} {unit} ¦ {1-99} x {1-99} x {1-99} cm
{1-9} {1/2|1/4|3/4|2/3} {cups|tsp|tbsp|inches|hours} {thing} ¦ {1/2|1/3|3/4|5/8} of {thousands}
{1-9} {thing}s @ ${1-99}.{cents} ¦ {2-9} for ${5-50} ¦ {few} {thing}s: ${price}
{thing} {price}, {thing} {price} ¦ Total: {price} ¦ TOTAL ${price} ¦ Sum {comma} {code}
Subtotal {price}; VAT {1-25}% ¦ Balance: -{price} ¦ tip {10-25}% = ${price}
refund of {price} {code} ¦ rent {thousands}/month ¦ {1-99}/100 points ¦ {calculation}
{calculation} ¦ {calculation} ¦ {1-99} + {1-99} + {1-99} = ?
({1-99} - {1-99}) / {2-9} = {0-9}.{00-99} ¦ {1-9}.{00-99} * 10^{2-12}
1 {code} = {0-9}.{0000-9999} {code} ¦ {thousands} {thing}s ¦ {pointed} {unit}
ca. {10-990} {unit} ¦ ~{2-99} {unit} ¦ >= {1-99} {unit} ¦ < {1-99}% ¦ {10-40} C / {50-104} F
{-|+}{1-39} degrees ¦ {1-9}'{0-11}" ¦ No {0-9}: {1-99} pcs ¦ {1-99}:{1-99} ({0-9}:{0-9})
{0-9}-{0-9} ({0-9}-{0-9}) ¦ pay ${price} by {day} ¦ owes me {few} {money}
"""),
    "date": templates("""
{1-28} {month} {year} ¦ {month} {1-28}, {year} ¦ {month} {nth}, {year} ¦ the {nth} of {month}
{29-31} {long} {year} ¦ {1-28}. {month} {year} ¦ {day}, {1-28} {month} ¦ {dy} {1-28} {mon}
{dy}, {mon} {1-28} ¦ {mon} {1-28} '{00-99} ¦ {1-28}-{mon}-{year} ¦ {01-28}-{mon:upper}-{00-99}
{month} {year} ¦ {mon}. {year} ¦ {year}-{01-12}-{01-28} ¦ {year}/{01-12}/{01-28}
{01-28}.{01-12}.{year} ¦ {1-28}.{1-12}.{00-99} ¦ {1-28}.{1-12}. ¦ {1-12}/{1-28}/{year}
{01-12}/{01-28}/{00-99} ¦ {1-28}-{1-12}-{year} ¦ {#99}{01-12}{01-28}
{year}-{01-12}-{01-28} {00-23}:{00-59} ¦ {year}-{01-12}-{01-28}T{00-23}:{00-59}Z ¦ {clock}
{1-12}:{00-59} {pm} ¦ {1-12}{pm} ¦ {1-12}:{00-59}{pm} ¦ {00-23}:{00-59}:{00-59} ¦ {00-23}h{00-59}
{0-23}:{00-59} Uhr ¦ {0-23}.{00-59} hrs ¦ {00-23}{00-59} GMT ¦ {clock} - {clock} ¦ {clock}-{clock}
{1-11} {pm} - {1-11} {pm} ¦ {dy}-{dy} {6-11}-{14-22} ¦ {dy}-{dy} {clock}-{clock}
{dy} + {dy}: {clock} to {clock} ¦ {day} {clock}, {city} ¦ {day}s {clock}-{clock}
{dy}, {dy}: closed ¦ closed on {day}s ¦ open {1-11} to {1-11}, {day} till {1-11} ¦ open 24/7
{day} at {clock} ¦ {time}, at {clock} ¦ half past {few} ¦ quarter to {few} ¦ {few} o'clock
{1-55} past {few} ¦ {few} {days|weeks|years} ago ¦ in {2-30} {days|weeks|months}
next {day}, {1-28}/{1-12} ¦ by {day} the {nth} ¦ from {1-12} to {13-28} {month}
{1-12}-{13-28} {month} {year} ¦ {mon} {1-12} - {mon} {13-28} ¦ {month}/{month} {year}
week {1-52}, {year} ¦ Q{1-4} {year} ¦ FY{00-49}/{00-49} ¦ since {month} '{00-99}
b. {1-28} {mon} {year} ¦ * {year}, + {year} ¦ {1400-1899}-{1900-2029}
the {18-20}{20|30|50|70|90}s ¦ {2-9} {BC|AD} ¦ {spring|summer|autumn|winter} {year}
{Christmas|Easter|Diwali|New Year} {year} ¦ due {mon} {1-28} ¦ exp. {01-12}/{00-49}
best before {01-28}/{01-12}/{00-49} ¦ arr. {clock}, dep. {clock} ¦ {1-28} {month}, {clock} sharp
{2-59} min {2-59} s ¦ born {month} {1-28}, {year}
"""),
    "number": templates("""
+{1-99} {#999 999 9999} ¦ +{1-99} {10-99} {#9999 9999} ¦ +{1-99} ({0-9}) {#99 999 99 99}
+{1-99}-{#999-999-9999} ¦ 00{10-99} {#999 99 99 99} ¦ 0{#999 999999} ¦ 0{#99/999 99 99}
({#999}) {#999-9999} ¦ {#999-9999} ¦ {#999.999.9999} ¦ {#99 99 99 99 99} ¦ tel. {#99 99 99}
Tel: {#999-9999} ext. {1-99} ¦ phone {#999 9999} ¦ fax {#99-9999999} ¦ mobile 07{#999 999999}
ring {#999 9999} ({first}) ¦ flight {#AA999} ¦ flight {#AA9999}, seat {1-40}{A}
{#AA 999} to {city} ¦ gate {A}{1-60} ¦ seat {1-60}{A}, row {1-60} ¦ Platform {1-30}{a}
bus {1-999}{A} ¦ line {A}{1-19}, stop {1-40} ¦ PIN {#9999} ¦ pin: {#999999} ¦ code {#99 99 99}
password: {#xx99xx9} ¦ key {#XXXX-XXXX-XXXX} ¦ {#XXXXX-XXXXX} ¦ invoice {#999999}
Invoice No. {#99999}/{00-49} ¦ inv. #{#9999}-{A} ¦ order {#A-999999} ¦ order no. {#999-9999999}
ref. {#AA/999/99} ¦ Ref: {#XXX.XXX.9} ¦ case {#99-A-9999} ¦ ticket #{#99999} ¦ {#AA99 AAA}
{#AAA 999} ¦ {#A-AA 9999} ¦ {#99-AAA-9} ¦ plate {#9AAA999} ¦ {#AA9 9AA} ¦ {#A9A 9A9}
{#99999-9999} ¦ {#9999 AA} {city} ¦ zip {#99999} ¦ ISBN 978-{#9-999-99999-9} ¦ ISSN {#9999-999X}
IBAN {#AA99 9999 9999 9999} ¦ card {#9999 9999 9999 9999} ¦ acct. {#999-999999-9} ¦ SN {#XXXXXXXX}
S/N: {#A99-XXXX} ¦ model {#AA-9999}{a} ¦ type {#A9.99} ¦ version {0-9}.{0-99}.{0-99}
v{0-9}.{0-9}-beta{1-9} ¦ room {100-999} ¦ Room {A}{1-9}.{00-29} ¦ rm. {1-9}-{100-499}, floor {1-9}
Apt {1-99}{A} ¦ flat {1-30}/{A} ¦ box {#999}-{#999} ¦ locker {1-400}, key {#99A}
pp. {1-99}-{100-399} ¦ vol. {1-40}, no. {1-12} ¦ no. {1-999}{a} ¦ #{#999999}
MAC {#99:AA:99:A9:9A} ¦ {0-89}.{#9999} N, {0-99}.{#9999} W ¦ {0-1}x{#9A9A} ¦ {thousands}
{#999 999 999} ¦ lot {#99-9999}, bin {A} ¦ EAN {#9 999999 999999}
{1-99}, {1-99}, {1-99}, {1-99}, {1-49}
"""),
    "name": templates("""
{first} {last} ¦ {first} {last} ¦ {A}. {last} ¦ {A}. {A}. {last} ¦ {A}.{A}. {last} ¦ {A}{A} {last}
{first} {A}. {last} ¦ {first} {A}. {A}. {last} ¦ {last}, {first} ¦ {last}, {A}.
{last}, {A}. {A}., & {last}, {A}. ¦ {title} {last} ¦ {title} {last} ¦ {title} {A}. {last}
{title} {first} {last} ¦ Mr and Mrs {A}. {last} ¦ Mr. & Mrs. {last} ¦ {first} & {first} {last}
{first} and {first} ¦ {first}, {first} & {first} ¦ {first}-{first} {last} ¦ {first} {gaelic}
{first} {gaelic}-{plain} ¦ {first} {noble} ¦ {title} {noble} ¦ {plain} & {plain}
{gaelic} & {plain} Ltd ¦ {plain} & {Sons|Co.|Daughters|Partners}
{plain}, {plain} & {plain} {LLP|Inc.|GmbH|S.A.} ¦ {plain} Bros. {Inc.|Ltd.} ¦ {monarch} {roman}
{monarch} {roman} of {Norway|Spain|France|Sweden|Prussia}
{King|Queen|Emperor|Pope|Tsar} {monarch} {roman} ¦ {first} {plain} {Jr.|Sr.|III|II|IV}
{first} {plain}, {PhD|MD|M.A.|B.Sc.|OBE|Esq.|RN} ¦ {first} "{quality:capital}" {plain}
{first} ({first}) {last} ¦ {first} {last} (nee {plain})
{first} '{Ace|Buzz|Kit|Max|Zip|Jo}' {plain} ¦ {first} {A}.-{A}. {plain} ¦ Dear {title} {last},
Dear {first} and {first}, ¦ {title} {last} of {city} ¦ {first} {last}, {city} ¦ c/o {title} {last}
attn. {first} {plain} ¦ for {first} {A}. ¦ Aunt {first} and Uncle {first}
{first}'s {Cafe|Garage|Bakery|Bar|Diner|Books} ¦ {gaelic}'s {Pub|Yard|Mill|Arms}
{first} of {city} ¦ {first} {last} + {1-5} ¦ {1-999} {plain} {road}
{1-99}{A|a|B|C} {plain} {road}, {city} ¦ {plain} {road} {1-199} ¦ {1-99}/{1-30} {first} {road}
{city}, {#AA 99999} ¦ {#99999} {city} ¦ {#9999} {city}, {first} {road} {1-99}
P.O. Box {1-999}, {city} ¦ St. {first}'s {Church|School|Hall}
{Mount|Lake|Port|Fort|Cape} {plain} ¦ {city}-{North|West|Mitte|Central} ¦ {first}. ¦ {A}.{A}.{A}.
"""),
    "marks": templates("""
"{thing:capital}!" cried {first}. ¦ "{greeting}," said {first}; "{greeting}."
'{quality} {thing}' ¦ "{thing}" - or '{thing}'? ¦ "{thing}", "{thing}", "{thing}"
"{first}?" "Yes?" "{thing:capital}!" ¦ what? {thing}?! ¦ no!! not the {thing}! ¦ why, oh why...?
{thing}... {thing}... {quality}! ¦ well -- {quality}, perhaps ¦ {thing} - {quality} - {thing}
{thing:capital}: {quality}; {thing}: {quality} ¦ {thing}; {thing}; {thing}
{thing}, {thing}; not {thing}. ¦ to do: {thing}, {thing}, {thing} ¦ NB: {thing} = {thing}!
{quality}/{quality} ¦ {thing}/{thing}/{thing} ¦ s/he, his/her {thing} ¦ and/or {thing}(s)
w/o {thing}, w/ {thing} ¦ {thing} (or {thing}) ¦ ({quality}!) ¦ {thing} (see p. {1-400})
(a) {thing}; (b) {thing} ¦ {1-9}) {thing} {1-9}) {thing} ¦ {a}) {quality} {thing} ¦ [{thing}]
[{quality}] {thing} [sic] ¦ [{1-99}] {plain}, {first:initial}.: "{thing:capital}"
{thing}[{0-9}], {thing}[{0-9}] ¦ {open}{thing}, {thing}{close} ¦ {open}{a} | {a} > {0-9}{close}
<{thing}> {quality} </{thing}> ¦ <{first}> ¦ << {quality} >>
{first}'s {thing}, {first}'s {thing} ¦ the {person}s' {thing} ¦ don't, can't, won't
it's {first}'s, isn't it? ¦ rock 'n' {thing} ¦ '{00-99} {thing}
I'd say {quality}; you'd say {quality} ¦ #{thing} ¦ #{thing} #{thing} #{quality}
#{quality}{thing:capital}{0-99} ¦ @{first}{0-99} ¦ @{first:lower}_{plain:lower} #{thing}
{thing} & {thing} ¦ {thing}+{thing}={quality} ¦ {thing} + {thing} > {thing}
{thing} -> {thing} -> {thing} ¦ {thing} <= {thing} ¦ {thing} ~ {thing} ¦ *{quality}* {thing}
{thing}* (*{quality}) ¦ ** {thing} ** ¦ {thing}^{2-9} ¦ {a}_{0-9} + {a}_{0-9} ¦ {thing}_{thing}
__{thing}__ ¦ | {thing} | {thing} | ¦ {thing} || {thing} ¦ {thing}\\{thing} ¦ `{thing} -{a}`
if ({thing} != {thing}) ¦ {thing}({a}, {a}); ¦ :-) {greeting}! ¦ {greeting} ;-) ¦ {greeting} :)
- {thing} - {thing} ¦ * {thing}: {quality} ¦ > {greeting} ¦ [ ] {thing} [x] {thing}
Re: {thing} / {thing} ¦ P.S.: {greeting}! ¦ e.g. {thing}s, i.e. "{quality}" ¦ {thing}, etc.
{first}: "{thing:capital}?" ¦ {quality}-{quality}, half-{quality} ¦ {thing}-{thing}-{thing}
{subject} & {subject}: {1-9}+, {1-9}- ¦ yes/no? (circle one) ¦ {1-9}% {thing}, {10-99}% {thing}
"""),
}
"""The templates of each kind."""

KINDS = tuple(TEMPLATES)
"""The kinds that a writer is judged by."""

CHARACTERS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)
CODES = templates("""
{A}{A}{A} ¦ {A}.{A}. ¦ {A}.{A}.{A}. ¦ {A}{0-9} ¦ {0-9}{A} ¦ {a}{A} ¦ {A}{a}{A}{a} ¦ {#x99x}
{#xx-xx_xx} ¦ {#XXX}.{#AA} ¦ {#Aa9}/{#aA9} ¦ {thing}.{#AA} ¦ {thing}.{suffix} ¦ {thing}{0-99}
{0-99}{thing} ¦ {thing:capital}{thing:capital} ¦ {thing:upper}{0-9}{a} ¦ {first}{A}
""")
SIGNED = 0.3
"""Probability that a sign is added to a code."""


def characters(draws: Draws) -> str:
    """Return 2 to 20 characters that are no text: letters, digits and signs in any order.

    Classes of characters (small letters, capitals, digits, signs) follow each other in every order,
    so that each is seen beside all others.
    """
    if draws.chance(0.3):
        text = fill(draws.pick(CODES), FIELDS, draws)
        if draws.chance(SIGNED):
            sign, after = draws.pick(string.punctuation), draws.chance(0.5)
            text = text + sign if after else sign + text
        return text
    # Half of the strings are short: a character with a neighbour or two.
    count = draws.between(2, 3) if draws.chance(0.5) else draws.between(4, 14)
    text = ""
    while len(text) < count:
        run = draws.between(1, 2)
        chosen = draws.pick(CHARACTERS)
        text += "".join(draws.pick(chosen) for _ in range(1 if chosen is CHARACTERS[3] else run))
        if draws.chance(0.1) and len(text) < count - 1:
            text += " "
    return text.strip()


def everyday(draws: Draws, kind: str | None = None, split: int = 0) -> tuple[str, str]:
    """Return the kind of a text, and the text.

    Args:
        draws: where choices are from.
        kind: one of `KINDS`, of `LENGTHS` characters; or "characters", for training only, see
            there. By default one of all these.
        split: that the text belongs to, see `split_of`: by default that of training.

    Raises:
        DataError: if there is no such kind.
    """
    known = (*KINDS, "characters")
    kind = kind or draws.pick(known)
    if kind not in known:
        raise DataError(f"no kind {kind!r} of texts: there are {', '.join(known)}")
    while True:
        if kind == "characters":
            text, fits = characters(draws), True
        else:
            text = fill(draws.pick(TEMPLATES[kind]), FIELDS, draws)
            fits = LENGTHS[0] <= len(text) <= LENGTHS[1]
        if fits and split_of(text) == split:
            return kind, text


def held_out_everyday(count: int, split: str = "test") -> list[tuple[str, str]]:
    """Return `count` distinct texts of `KINDS` in turn with their kinds, the same every time.

    Args:
        count: how many; the first ones of a longer list are those of a shorter one.
        split: "test" to publish what is measured with them, "valid" to choose by.
    """
    found: dict[str, str] = {}
    number, numbers = SPLITS.index(split), itertools.count()
    while len(found) < count:
        draws = Draws(np.random.default_rng([number, next(numbers)]))
        kind, text = everyday(draws, KINDS[len(found) % len(KINDS)], number)
        found.setdefault(text, kind)
    return [(kind, text) for text, kind in found.items()]
