"""Texts with the letters of the languages of western and central Europe written in Latin script.

They are words and short phrases of a small vocabulary for each language, without its grammar: what
counts is which letters stand beside each other. All texts and constants are in NFC.
"""

from collections.abc import Mapping

from data_loader.synthetic.corpus import Draws, split_of, words
from data_loader.synthetic.templates import fill, templates
from utils.alphabet import nfc

SMALL = nfc("àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿāăąćċčďđēėęěğġģħīįıķĺļľłńņňőœŕřśşšșťțūůűųźżž")
LETTERS = SMALL + "".join(one.upper() for one in SMALL if one != "ı") + "İß"
"""The letters beyond ASCII, each in both cases: dotless `ı` is the small form of `I`, `İ` the
capital of `i`, and `ß` is `SS` in capitals."""

SIGNS = "€£§°«»„“”‘’–—…¿¡·"
"""Signs beyond ASCII of these languages."""

VOCABULARY: Mapping[str, list[str]] = {
    "French": words("""
à âge août après bête Brontë ça café château Citroën cœur coïncidence connaître côté crème déjà
dîner école élève été être façon fête flûte forêt français garçon gâteau goût grâce hôtel île jeûne
Joël là lettre maïs mère naïf Noël œuf œuvre où pâte père pièce reçu sœur théâtre tôt très Ægidius
Croÿ L'Haÿ Louÿs Moÿ bœuf nœud rue jour bonjour Zoé Agnès Hélène Françoise Benoît Orléans Besançon
vitæ Lætitia Saül Emmaüs
"""),
    "German": words("""
Äpfel ärgern Bäcker Brötchen Bücher dürfen Düsseldorf Fuß für Fräulein fröhlich früh Gemüse Größe
groß grün Grüße hören Jürgen Käse Köln König Küche Löffel Lübeck Mädchen März Maß Müller München Öl
Österreich schön Schröder Spaß spät Straße süß Tür über Übung weiß Würzburg zwölf außen heißen
Morgen Wetter Haus gestern Zug
"""),
    "Spanish": words("""
adiós ahí allí año así azúcar árbol Ángel bebé café canción cigüeña corazón Córdoba días difícil
España época fácil habitación índice inglés jardín José lápiz León lingüista Málaga mañana María
Martínez más médico música Muñoz niña número Ñuñoa ñandú otoño pájaro Pérez pingüino público qué
rápido señor sí también teléfono último Úrsula vergüenza playa calle gracias
"""),
    "Portuguese": words("""
água alemã amanhã Amélia àquela às ação avô avó bênção café câmara canção coração você dê então
estação família fácil força fôlego há hotéis irmã irmão João lâmpada limões lã Luís maçã mãe manhã
mês não ônibus ótimo órgão pão põe português pôr quê São saúde sótão três tradição útil Antônio
Camões Évora obrigado praia rua à
"""),
    "Italian": words("""
àncora caffè città ciò così è età felicità Forlì già giù là libertà lì lunedì martedì mercoledì
Nicolò però perché più può qualità ragù sì sarà società tè venerdì verità virtù né Cefalù Mondovì
università ventitré farò partirò tribù Italia grazie sole
"""),
    "Catalan": words("""
això àvia barça Barça camí cançó català col·legi Déu diumenge dòlar França germà gràcies història
intel·ligent informació Lluís Lleó món Núria nòvia País paral·lel pel·lícula plaça Plató país què
ràdio setè també través tràfic trànsit últim únic raïm veïna òpera aigües Òscar Àngela pingüí Girona
bon està
"""),
    "Dutch": words("""
België Brabançonne café coördinatie crèche Curaçao één efficiënt financiële geïnteresseerd ideeën
Israël kopiëren knieën maîtresse naïef officiële patiënt reünie reëel ruïne tweeën vóór zeeën zoëven
óók België's Zoë Noël Daniël Loïs fiets morgen huis straat alstublieft geluk
"""),
    "Danish": words("""
år æble Ærø ål Ålborg Århus bjørn blå brød børn både dør få føle gå gård grøn gæst høj hår Jørgen
København Køge køre læse lørdag mælk måne når nær nød ø øl Øresund påske også rødgrød sø søster
Sørensen tænke tør være værsgo åben Åse én allé idé dag tak
"""),
    "Norwegian": words("""
bokmål Bodø brød dør én fjæra får første Førde gå gråt hår høst Håkon ishavn jøkel kjær Kjærstad
kjøkken kveld lære løp måltid nå nær Røros Sørlandet så søndag Tromsø trær vår vær Ås øy Øystein ære
årstid åtte Åge à fôr
"""),
    "Swedish": words("""
Åke älg ängel är år Åland åtta ägg bröd båt dörr fågel fråga fönster förlåt gå Göteborg grön höst
här häst idé kärlek kök källa Malmö människa många måndag nästa nöje Örebro öppen Östersund också
Pär på sjö själv skärgård smör små språk tåg två väg öl Åsa tack flicka armén
"""),
    "Finnish": words("""
äiti Äänekoski älä aamupäivä hyvää yötä järvi Jyväskylä kesä kiitos kylä lämmin metsä mökki mäki
näkemiin öljy pöytä päivä Pärnänen sää sähkö syödä syksy tänään tyttö työ Töölö vesi vähän Väinö yö
šakki Šanghai tšekki džonkki žanri
"""),
    "Icelandic": words("""
Akureyri Arnþór á Ásgeir bær bíð bók dýr eða Egilsstaðir ég Einar fjörður Friðrik góðan guð góður
hús hvað Höfn ís Ísland já jökull Jónsdóttir kýr lýsi með mjög maður nótt nýr ó sæll síðan Sigurður
sól sögur tími það þakka þau þetta Þingvellir þorp Þór þú Þórunn þrír þýða út Úlfur Ytri-Á vegna
ýmis Ýmir Ýr ær æði Ægir öld Örn Ölfus Óðinn Éljagangur Vík
"""),
    "Polish": words("""
ćma ćwierć Ćmielów być chcę cześć Częstochowa dąb dzień dobry dziękuję dźwięk Elżbieta gęś Gdańsk
gość góra jabłko język już Kazimierz książka kość koń Kraków Łódź łąka łyżka miłość mąż mgła
niedźwiedź noc ogień ósmy Ózd pięć piątek poznać Poznań róża Rzeszów są siódmy słońce słoń sześć
Ślązak środa śnieg świat święto także też tłum Toruń Wałęsa Wrocław wódka wąż zażółć gęślą jaźń
źródło źle żaba żółty Żywiec że Źrebię
"""),
    "Czech": words("""
čaj černý Česko čtyři červená chléb děkuji děti dívka dobrý dům Ďáblice hůl jídlo Jiří kůň kůže kuře
květina ďábel ledňáček léto loďka měsíc město mléko můj náměstí neděle něco oběd oběť pátek píseň
Plzeň příští přítel řeka řezník Řehoř růže říjen sůl sníh Škoda šest škola široký štěstí šťáva
šťastný tečka tři týden Tábor únor ústí Ústí úterý věž víno vůz ještě jaro ženich žlutý život zeď
Žďár Ňouma teď ať pět móda balón gól
"""),
    "Slovak": words("""
Ľubľana Ľubomír ľahký ľad ľalia ľudia ďakujem ďaleko Ďurica Bratislava dážď deň dĺžka hĺbka kôň kôra
kôš kŕdeľ kŕmiť Košice krídlo kĺb kĺzať Ľudovít mäso mäkký mŕtvy môj máj nôž päť pätnásť päta póza
posteľ prší slnko stôl stĺp stŕž soľ svätý šťuka ťava Ťahanovce tŕň tĺcť učiteľ vlčí vĺča vôňa vŕba
vŕtať vĺk Vŕbov žĺtok zŕn Žilina čučoriedka ôsmy Ôsmy ňufák Ňarad dobrý večer úsmev útes krém pekné
"""),
    "Hungarian": words("""
ágy álom asztal alma Árpád bőr cipő csütörtök délután egészség élet érdekes Erdős erdő eső ételt fiú
fű Győr gyűrű gyűjtő hétfő hős hűs idő író három húsvét időjárás jó jövő Kálmán kettő könyv köszönöm
kívül ősz Őrség Ödön öröm őr őszibarack nő nyúl szőlő szűk szörnyű tél tükör tű tűz Tűzoltó Űrhajós
űr út üveg Üllő Újpest víz vőfély zöld víztükörfúrógép
"""),
    "Slovenian": words("""
čas češnja Čopič cvetličar dež deček dišati drevo hiša hčerka Jože jabolčni Ježek Kočevje kruh ključ
krožnik lučka mačka mož mreža naš noč obleč oče piščanec pišem požar reč rožnat sončen Šmarje šola
šest širok človek teža tišina več veš večer življenje žena Žalec žaba zajtrk
"""),
    "Croatian": words("""
anđeo Badnjak čaj čamac četiri Čakovec ćevapi ćuprija Ćiril ćošak dječak đak đavao Đakovo Đurđica
đumbir đurđevak gdje grožđe Hrvatska kiša kuća kći kućica leđa lađa međa mladić mišić Marić noć
pjevač Petrović riječ rođendan šešir šljiva Šibenik tuđe tvrđava večera vođa voće žaba žeđ Županja
kćer Đuro
"""),
    "Romanian": words("""
acasă adânc Argeș așa București bună băiat brânză Brașov câine câmp cântă cărți Ceaușescu coș
Constanța două dimineață fată fântână fără frați grădină Iași iarnă încet început înapoi înger
împărat învăț întâi masă mâine mână mănânc mulțumesc noapte oraș pâine pădure pământ România sâmbătă
săptămână școală știință Ștefan șase și șarpe soră sănătate târg țară țăran Țepeș țigan toți
Târgu-Mureș vânt viață Ăla înțeles Îngerul
"""),
    "Estonian": words("""
aitäh äpp Ämari õde õhtu õpetaja õun Õismäe jõgi jõulud jää jäär käsi köök kõik küla külm küsimus
lõuna mägi mõte möll müür näha nädal nõu öö ööbik Ööpik palun päev päike põder põhi Pärnu Põltsamaa
Räpina rõõm sõber söök süda šokolaad Šveits täna tõde töö tüdruk ülikool Ülo üks võti Võru vägi žanr
žürii Žanna
"""),
    "Latvian": words("""
acīs ābols Āgenskalns asinīm bērns brālis Bērziņš cilvēks četri ceļš Cēsis diena dārzs dzīve dzērve
ēka ēst Ērgļi Ēriks galds gājiens ģimene ģitāra Ģirts iekšā īss īkšķis īpašs Īslīce jūra Jāņi Jānis
Jūrmala kāpēc kaķis ķieģelis ķirsis Ķemeri Ķegums ķēde ļauns ļoti Ļaudona Ļena mācība māja māsa mēle
mīļš mēness ņemt ņirba Ņina ņurdēt paldies pēc pilsēta rīts Rīga rēķins sēne sniegs sveiki šķūnis
šodien tēvs tūkstotis ūdens ūsas vārds vējš vīrs zāle zīle žāvēt Žanis kuģis reģions ģērbt ūdrs
"""),
    "Lithuanian": words("""
ačiū ąžuolas Ąžuolas Ąsotis aš ąsotis ašara brolis būti čia čekis dešimt diena dėdė dėžė dviračiu
ėjimas Ėriškiai ėsti eglė ežeras gėlė gražus į įdomus įlanka Įsrutis Įmonė įmonė įėjimas Jonušas
Kaišiadorys Klaipėda kąsnis knygą lėtas lietų medį mėnuo mėsą naktį pienė pėda rūta ranką saulė
sūris sąrašas šalį Šiauliai šuo tėtė Trakų ugnį upė ūkis ūsai Ūla ūpas valgį vaikų vyšnia žmonės
žuvį Žemaitė žąsis žvėrių šešių tęsti skęsti pelę
"""),
    "Turkish": words("""
açık ağaç ağabey Ağrı akşam anlaşıldı ayı Aydın bağ bahçe balık beşik bıçak buğday çanta Çanakkale
çocuk çiçek çok dağ değil deniz Diyarbakır doğru dört düğün elçi eşek ığdır Iğdır ıhlamur ılık ırmak
ısı ıslak ışık Işıl İbrahim İpek ilaç İstanbul İzmir kâğıt kapı kış kız kuş köy kırk küçük lokantası
mağaza merhaba mısır müzik oğlu oğlan öğle öğretmen Ödemiş şehir şeker Şişli Şırnak şu şarkı soğuk
süt taşıt teşekkür tuğla uğur ücret Üsküdar Ümit yağmur yeşil yıl yıldız
"""),
    "Albanian": words("""
ëmbël është bëj bukë çaj çelës çfarë çift çmim dëborë ditë dhëmb Durrës ëndërr emër fëmijë gjë
Gjirokastër hënë Himarë këmbë këngë Korçë lëng lulë mëngjes motër mëmë mirëdita mbrëmje nëntë natë
nënë një përse punë rrugë Sarandë shtëpi Shqipëri tërë urë verë vëlla çantë Çamëri Ëngjëll zë zëri
Fier
"""),
    "Maltese": words("""
ċar ċavetta Ċensu Ċirkewwa aċċess iċ-ċentru Ġwann ġar ġbejna ġardina Ġorġ ġurnata għada għalliem
għandi Għarb għaxra Għawdex ħabib ħalib Ħamrun ħanut ħelu ħin ħobż ħut jiġi leħen Marsaxlokk Mġarr
oġġett oħra qalb riħ Siġġiewi saħħa triq vaċċin xemx Żabbar żagħżugħ żejt żebbuġ żgħir Żurrieq
"""),
}
"""Words by language, names among them. Common ones, and whatever has the rare letters."""

PHRASES = templates("""
{word} ¦ {word} ¦ {word} ¦ {word} {word} ¦ {word} {word} ¦ {word} {word} {word} ¦ {word}, {word}
{word} {word} {word} {word} ¦ {word}: {word} ¦ {word}; {word} ¦ {word}/{word} ¦ {word}-{word}
{word} & {word} ¦ {word} + {word} ¦ {word}! ¦ {word}? ¦ {word}. ¦ {word} {word}. ¦ {word}, {word}!
({word}) ¦ {word} ({word}) ¦ "{word}" ¦ '{word} {word}' ¦ „{word}“ ¦ „{word} {word}“ ¦ «{word}»
« {word} » ¦ »{word}« ¦ “{word}” ¦ “{word} {word}” ¦ „{word}” ¦ ‘{word}’ ¦ {word}’s {word}
l’{word} ¦ {word} – {word} ¦ {word} — {word} ¦ – {word}? – {word}. ¦ {word}… ¦ {word}… {word}!
¿{word}? ¦ ¿{word} {word}? ¦ ¡{word}! ¦ ¡{word}, {word}! ¦ {word}·{word} ¦ {1-99} {word}
{1-9}. {word} ¦ {word} {1-99} ¦ {#99999} {word} ¦ {#99-999} {word} ¦ {word}: {1-99},{00-99} €
€ {1-99},{00-99} ¦ €{1-999} {word} ¦ £{1-99}.{00-99} {word} ¦ {word} £{1-999} ¦ § {1-999} {word}
{word} §{1-99} ¦ {-|}{1-39} °C {word} ¦ {word} {1-39}° ¦ {word} {1-89}° {00-59}' ¦ {word}@{1-9}
#{word} ¦ Dr. {word} ¦ {word} & Co. ¦ M. {word} ¦ {word} {I|II|IV|X} ¦ {1-28}. {word} {1950-2039}
""")
"""What a text is made of; the words of one text are of one language."""

LENGTHS = (3, 40)
"""Fewest and most characters of a text."""


def upper(text: str, language: str) -> str:
    """Return a text in capitals, as its language has them."""
    return (text.replace("i", "İ") if language == "Turkish" else text).upper()


def title(text: str, language: str) -> str:
    """Return a text with its first letter as a capital."""
    return upper(text[0], language) + text[1:] if text[0] != "ß" else text


CARRIERS: Mapping[str, list[tuple[str, str]]] = {
    letter: [
        (word, language)
        for language, vocabulary in VOCABULARY.items()
        for word in vocabulary
        if letter in word + upper(word, language)
    ]
    for letter in LETTERS
}
"""Words with each letter and their languages; those of a capital have it or its small form."""


def european(draws: Draws, split: int = 0) -> str:
    """Return a text of a few words in one language, of `LENGTHS` characters and in NFC.

    One of its words, if it has any, is drawn for a letter, which is in the text. Each letter is as
    likely, so that none is rare.

    Args:
        draws: where choices are from.
        split: that the text belongs to, see `split_of`: by default that of training.
    """
    while True:
        letter = draws.pick(LETTERS)
        word, language = draws.pick(CARRIERS[letter])
        if letter in (begun := title(word, language)) and draws.chance(0.6):
            word = begun
        phrase = draws.pick(PHRASES).replace("{word}", "{drawn}", 1)
        text = fill(phrase, {"drawn": [word], "word": VOCABULARY[language]}, draws)
        if letter not in word:
            text = upper(text, language)
        elif draws.chance(0.2) and letter in (begun := title(text, language)):
            text = begun
        if LENGTHS[0] <= len(text) <= LENGTHS[1] and split_of(text) == split:
            return text
