"""Prints the text of a file as UTF-8: orla_extract.py docx|markup, the file on
standard input.

orla runs it in a process of its own, which can read little and write nothing
(src/confine.c).  It needs Python's standard library alone.  How it ends tells
the rest: 0, the text is whole; 3 the file is encrypted; 4 damaged; 5 too large;
6 of a kind that is not read.  Any other status: damaged.
"""
import codecs
import re
import sys
import zipfile
from html.parser import HTMLParser
from xml.parsers import expat

ENCRYPTED, DAMAGED, TOO_LARGE, UNKNOWN = 3, 4, 5, 6

# What a part of a DOCX may unpack to: a page of text takes some 50 kB.
UNPACKED_MAX = 128 << 20
RELATIONS_MAX = 1 << 20
CHUNK = 1 << 16

TEXT = sys.stdout.buffer


class Refused(Exception):
    def __init__(self, status):
        self.status = status


def put(text):
    TEXT.write(text.encode('utf-8', 'replace'))


# ---- DOCX ---------------------------------------------------------------------


def open_part(package, name, limit):
    try:
        info = package.getinfo(name)
    except KeyError:
        raise Refused(UNKNOWN) from None
    if info.flag_bits & 1:
        raise Refused(ENCRYPTED)
    if info.file_size > limit:
        raise Refused(TOO_LARGE)
    return package.open(info)


def parse(part, on_start, on_end=None, on_text=None):
    """Reads XML in pieces. A DTD, which no Office file has, is refused: entities are defined there."""
    def refuse(*_):
        raise Refused(DAMAGED)

    parser = expat.ParserCreate(namespace_separator=' ')
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = on_text
    while chunk := part.read(CHUNK):
        parser.Parse(chunk)
    parser.Parse(b'', True)


def main_part(package):
    """The name of the part that the package is about."""
    found = []

    def on_start(name, attributes):
        if attributes.get('Type', '').endswith('/officeDocument'):
            found.append(attributes.get('Target', '').lstrip('/'))

    with open_part(package, '_rels/.rels', RELATIONS_MAX) as part:
        parse(part, on_start)
    if not found:
        raise Refused(UNKNOWN)
    return found[0]


class Words:
    """The text of WordprocessingML: what is deleted, or computed by a field, is none."""
    PRINTED = {'tab': '\t', 'br': '\n', 'cr': '\n', 'noBreakHyphen': '\u2011'}

    def __init__(self):
        self.root = None
        self.in_text = False
        self.fallback = 0       # what is there a second time, for older readers

    @staticmethod
    def local(name):
        space, _, local = name.rpartition(' ')
        return local if 'wordprocessingml' in space or 'markup-compatibility' in space else ''

    def on_start(self, name, _attributes):
        local = self.local(name)
        if self.root is None:
            self.root = local
            if local != 'document':
                raise Refused(UNKNOWN)
        if local == 'Fallback':
            self.fallback += 1
        elif not self.fallback:
            self.in_text = local == 't'
            put(self.PRINTED.get(local, ''))

    def on_end(self, name):
        local = self.local(name)
        self.in_text = False
        if local == 'Fallback':
            self.fallback -= 1
        elif local == 'p' and not self.fallback:
            put('\n')

    def on_text(self, text):
        if self.in_text:
            put(text)


def docx():
    with zipfile.ZipFile(sys.stdin.buffer) as package:
        with open_part(package, main_part(package), UNPACKED_MAX) as part:
            words = Words()
            parse(part, words.on_start, words.on_end, words.on_text)


# ---- HTML and SVG -------------------------------------------------------------


class Page(HTMLParser):
    """The text that a reader sees, a line for each block, without layout."""
    UNSEEN = {'script', 'style', 'template', 'noscript', 'iframe', 'object', 'textarea', 'select'}
    BLOCKS = {'address', 'article', 'aside', 'blockquote', 'br', 'caption', 'dd', 'div', 'dl', 'dt', 'figcaption', 'figure', 'footer',
              'form', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'hr', 'li', 'main', 'nav', 'ol', 'p', 'pre', 'section', 'table',
              'text', 'title', 'tr', 'ul'}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.unseen = []        # the names of those that are open
        self.pre = 0
        self.gap = ''           # between what was printed and what comes
        self.printed = False

    def separate(self, gap):
        if '\n' not in self.gap and (gap != ' ' or not self.gap):
            self.gap = gap

    def handle_starttag(self, tag, attributes):
        if tag in self.UNSEEN:
            self.unseen.append(tag)
        if tag == 'pre':
            self.pre += 1
        if tag in self.BLOCKS:
            self.separate('\n')
        elif tag in ('td', 'th'):
            self.separate('\t')

    def handle_startendtag(self, tag, attributes):
        if tag in self.BLOCKS:
            self.separate('\n')

    def handle_endtag(self, tag):
        if tag in self.unseen:
            while self.unseen.pop() != tag:
                pass
        if tag == 'pre':
            self.pre = max(0, self.pre - 1)
        if tag in self.BLOCKS:
            self.separate('\n')

    def handle_data(self, data):
        if self.unseen:
            return
        if self.pre:
            self.put(data)
            return
        words = data.split()
        if not words or data[0].isspace():
            self.separate(' ')
        if words:
            self.put(' '.join(words))
            if data[-1].isspace():
                self.separate(' ')

    def put(self, text):
        if self.printed:
            put(self.gap)
        put(text)
        self.gap, self.printed = '', True


MARKS = ((b'\xef\xbb\xbf', 'utf-8'), (b'\xff\xfe', 'utf-16'), (b'\xfe\xff', 'utf-16'))
NAMED = re.compile(rb'''(?:<meta[^>]+charset|<\?xml[^>]+encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)''', re.I)
KNOWN = re.compile(r'utf-8|us-ascii|iso-8859-\d+|windows-125\d|koi8-[ru]|shift_jis|euc-(?:jp|kr)|gbk?|gb2312|gb18030|big5|iso-2022-jp', re.I)


def character_set(data):
    """As its mark says, as it says itself, else UTF-8 if it can be that. Latin-1 is read as browsers do."""
    for mark, name in MARKS:
        if data.startswith(mark):
            return name
    named = NAMED.search(data[:2048])
    name = named.group(1).decode().lower() if named else ''
    try:
        if KNOWN.fullmatch(name):
            return 'cp1252' if name in ('iso-8859-1', 'us-ascii') else codecs.lookup(name).name
        data.decode('utf-8')
        return 'utf-8'
    except (LookupError, UnicodeDecodeError):
        return 'cp1252'


def markup():
    data = sys.stdin.buffer.read()
    text = data.decode(character_set(data), 'replace').lstrip('\ufeff')
    del data
    page = Page()
    for at in range(0, len(text), CHUNK):
        page.feed(text[at:at + CHUNK])
    page.close()


def main():
    try:
        {'docx': docx, 'markup': markup}[sys.argv[1]]()
        TEXT.flush()
    except Refused as refused:
        return refused.status
    except (MemoryError, RecursionError):
        return TOO_LARGE
    except Exception:           # whatever the file makes go wrong
        return DAMAGED
    return 0


if __name__ == '__main__':
    sys.exit(main())
